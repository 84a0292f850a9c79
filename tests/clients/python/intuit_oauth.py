"""The simulated Intuit, asked by Intuit's own OAuth client for Python."""

import os
from urllib.parse import parse_qs, urlsplit

import requests
from gateway import check, equal
from intuit import BACK, CLIENT, SECRET, Intuit
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError


def refused(body):
    """What the client says of a refusal: status and text."""
    try:
        body()
    except AuthClientError as error:
        return error.status_code, error.content.decode()
    raise AssertionError("it was not refused")


with Intuit("--rotation", "each-time") as intuit:
    os.environ["REQUESTS_CA_BUNDLE"] = intuit.ca_file
    discovery = f"{intuit.base}/.well-known/openid_configuration"

    def client(secret=SECRET, back=BACK):
        return AuthClient(CLIENT, secret, back, discovery)

    def consented(auth):
        """The parameters with which the browser comes back."""
        url = auth.get_authorization_url([Scopes.ACCOUNTING], state_token="from the test")
        answer = requests.get(url, allow_redirects=False)
        equal(answer.status_code, 302)
        location = answer.headers["location"]
        assert location.startswith(f"{BACK}?"), location
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def connected():
        auth = client()
        back = consented(auth)
        auth.get_bearer_token(back["code"], realm_id=back["realmId"])
        return auth

    @check("intuit-oauth finds the endpoints by discovery and consent leads back with code, state and realmId")
    def _():
        auth = client()
        back = consented(auth)
        equal(set(back), {"code", "state", "realmId"})
        equal((back["state"], back["realmId"]), ("from the test", intuit.realm))

    @check("intuit-oauth exchanges a code once for tokens with their lifetimes")
    def _():
        auth = client()
        code = consented(auth)["code"]
        auth.get_bearer_token(code)
        equal((auth.expires_in, auth.x_refresh_token_expires_in), (3600, 8726400))
        assert auth.access_token.startswith("eyJ") and auth.refresh_token.startswith("RT1-")
        equal(refused(lambda: auth.get_bearer_token(code)), (400, '{"error":"invalid_grant"}'))

    @check("intuit-oauth gets a new refresh token each time, and the old one is dead: invalid_grant")
    def _():
        auth = connected()
        old = auth.refresh_token
        auth.refresh()
        assert auth.refresh_token != old
        status, text = refused(lambda: auth.refresh(refresh_token=old))
        equal(status, 400)
        assert '"invalid_grant"' in text, text
        auth.refresh()

    @check("intuit-oauth with another secret, or another address to come back to, is refused")
    def _():
        right = client()
        wrong = client(secret="guessed")
        code = consented(right)["code"]
        equal(refused(lambda: wrong.get_bearer_token(code)), (401, '{"error":"invalid_client"}'))
        other = client(back="https://thief.example/")
        equal(refused(lambda: other.get_bearer_token(code)), (400, '{"error":"invalid_grant"}'))

    @check("intuit-oauth revokes, and neither token is good any more")
    def _():
        auth = connected()
        equal(auth.revoke(token=auth.refresh_token), True)
        equal(refused(auth.refresh)[0], 400)
        info = f"{intuit.base}/v3/company/{intuit.realm}/companyinfo/{intuit.realm}"
        bearer = {"Authorization": f"Bearer {auth.access_token}"}
        equal(requests.get(info, headers=bearer).status_code, 401)

    @check("intuit-oauth says so when the answer is lost after the rotation, and the old token is dead then")
    def _():
        auth = connected()
        old = auth.refresh_token
        intuit.break_by({"fault": "answer-lost", "call": "refresh", "times": 1})
        try:
            auth.refresh()
        except requests.ConnectionError:
            pass
        else:
            raise AssertionError("an answer came")
        equal(auth.refresh_token, old)
        equal(refused(auth.refresh)[0], 400)
