"""`python-quickbooks` judges the signatures that the relay makes, and makes those it accepts."""

import base64
import hashlib
import hmac
import tempfile

import requests
from gateway import TOKEN, Gateway, Receiver, check, equal, simulate
from quickbooks.client import QuickBooks

ACCOUNT = (
    '[{"specversion":"1.0","id":"88cd52aa-33b6-4351-9aa4-47572edbd068",'
    '"source":"intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",'
    '"type":"qbo.account.created.v1","datacontenttype":"application/json",'
    '"time":"2025-09-10T21:31:25.179851517Z","intuitentityid":"1234",'
    '"intuitaccountid":"310687","data":{}}]'
)


def quickbooks(token):
    """A client that knows nothing but the verifier token."""
    client = QuickBooks()
    client.verifier_token = token
    return client


def valid(request, client):
    header = request.headers["intuit-signature"]
    return client.validate_webhook_signature(request.body.decode(), header)


def sign(body, token=TOKEN):
    return base64.b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()


client = quickbooks(TOKEN)
receiver = Receiver(lambda request: 200 if valid(request, client) else 403)
token_file = tempfile.NamedTemporaryFile("w")
token_file.write(TOKEN)
token_file.flush()


@check("each signature that `simulate` makes is valid for python-quickbooks, in both forms")
def _():
    run = simulate(receiver.url, token_file.name, "--count", "20", "--format", "mixed", "--events-per-post", "7")
    equal((run.returncode, run.stderr), (0, ""))
    equal([valid(request, client) for request in receiver.wait_for(20)], [True] * 20)


@check("its forgeries are not, and `simulate` finds the 403 that it expects")
def _():
    del receiver.requests[:]
    run = simulate(receiver.url, token_file.name, "--count", "20", "--forge", "50", "--seed", "7")
    equal(run.returncode, 0)
    judged = [valid(request, client) for request in receiver.wait_for(20)]
    equal({True, False}, set(judged))
    other = quickbooks("another token")
    equal([valid(request, other) for request in receiver.requests], [False] * 20)


with Gateway() as gateway:

    def post(body, signature, path="/qbowebhook"):
        headers = {"intuit-signature": signature, "content-type": "application/json"}
        return requests.post(gateway.url + path, data=body, headers=headers)

    @check("the relay accepts what python-quickbooks finds valid, and keeps it byte for byte")
    def _():
        body = ACCOUNT.encode()
        signature = sign(body)
        equal(client.validate_webhook_signature(ACCOUNT, signature), True)
        answer = post(body, signature)
        equal((answer.status_code, answer.json()), (200, "OK"))
        [receipt] = gateway.journal()
        equal((receipt["body"], receipt["authenticity"], receipt["verifier"]), (ACCOUNT, "signed", "test"))
        [change] = receipt["changes"]
        equal((change["realm"], change["entity"], change["entity_id"]), ("310687", "Account", "1234"))

    @check("and refuses what it finds invalid, without keeping it")
    def _():
        signature = sign(ACCOUNT.encode(), "another token")
        equal(client.validate_webhook_signature(ACCOUNT, signature), False)
        equal(post(ACCOUNT.encode(), signature).status_code, 403)
        equal(len(gateway.journal()), 1)

    @check("a body beyond ASCII is signed over its UTF-8 bytes by both")
    def _():
        body = ACCOUNT.replace("310687", "Ωmega – 公司")
        signature = sign(body.encode())
        equal(client.validate_webhook_signature(body, signature), True)
        equal(post(body.encode(), signature).status_code, 200)
        equal(gateway.journal()[-1]["changes"][0]["realm"], "Ωmega – 公司")
