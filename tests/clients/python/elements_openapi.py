"""The Open Connectors interface against its own description: schemathesis makes up requests from it."""

import os
import re
import subprocess
import sys

import requests
from gateway import CA_FILE, Gateway, Receiver, check, equal, qbo_relay
from intuit import BACK, CLIENT, SECRET, Intuit

# What a description cannot say: that `from` is not after `to`, that a company has to be connected,
# that a client id has no spaces.
EXCEPT = "positive_data_acceptance"


def find(description, authorization, examples):
    """Fails with what schemathesis finds wrong."""
    command = [os.path.join(os.path.dirname(sys.executable), "schemathesis")]
    command += ["--config-file", "schemathesis.toml", "run", description, "-H", f"Authorization: {authorization}"]
    command += ["--checks", "all", "--exclude-checks", EXCEPT, "--phases", "coverage,fuzzing"]
    # The same requests each time; another number makes up others.
    command += ["--max-examples", str(examples), "--no-color", "--seed", os.environ.get("SEED", "1")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=folder)
    if done.returncode != 0:
        _, _, failures = done.stdout.partition("= FAILURES =")
        raise AssertionError((failures or done.stdout)[:6000] + done.stderr[-1000:])
    if not re.search(r"\b[1-9][0-9]* generated", done.stdout):
        raise AssertionError("it tried nothing: " + done.stdout[-1000:])


receiver = Receiver()
with Intuit() as intuit:
    TABLES = f"""
[[app]]
name = "simulated"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
redirect_uri = "{BACK}"
authorize_url = "{intuit.base}/connect/oauth2"
token_url = "{intuit.base}/oauth2/v1/tokens/bearer"
revoke_url = "{intuit.base}/v2/oauth2/tokens/revoke"
api_url = "{intuit.base}"
ca_file = "{intuit.ca_file}"
[instances]
private_callbacks = true
plain_callbacks = true
ca_file = "{CA_FILE}"
"""
    with Gateway(TABLES) as gateway:
        made = qbo_relay("admin-secret", "--config", gateway.config).stdout
        secrets = made.split("Authorization: ")[1].splitlines()[0]
        base = f"{gateway.admin}/elements/api-v2"
        description = f"{base}/openapi.json"
        folder = gateway.folder
        # A number that it makes up would be nobody's.
        with open(f"{folder}/schemathesis.toml", "w") as file:
            file.write('[parameters]\n"path.id" = 1\n"path.element" = "quickbooks"\n')

        def create():
            """A new instance of the company; its element token."""
            ask = {"apiKey": CLIENT, "apiSecret": SECRET, "callbackUrl": BACK}
            headers = {"Authorization": secrets}
            url = requests.get(f"{base}/elements/quickbooks/oauth/url", ask, headers=headers).json()["oauthUrl"]
            back = requests.get(url, allow_redirects=False, verify=intuit.ca_file)
            code = back.headers["Location"].split("code=")[1].split("&")[0]
            body = {
                "element": {"key": "quickbooks"},
                "providerData": {"code": code, "realmId": intuit.realm},
                "configuration": {
                    "oauth.callback.url": BACK,
                    "oauth.api.key": CLIENT,
                    "oauth.api.secret": SECRET,
                    "event.notification.enabled": True,
                    "event.vendor.type": "webhooks",
                    "event.notification.callback.url": receiver.url,
                },
                "name": "made by requests",
            }
            answer = requests.post(f"{base}/instances", json=body, headers=headers)
            equal(answer.status_code, 200)
            return answer.json()["token"]

        token = create()

        @check("schemathesis finds nothing in what the organization's secrets can do")
        def _():
            find(description, secrets, examples=25)

        @check("nor in what the token of an instance can do")
        def _():
            user = secrets.split(",")[0]
            find(description, f"{user}, Element {create()}", examples=10)

        @check("nor in what somebody without secrets can do")
        def _():
            find(description, "User bm9ib2R5, Organization nobody", examples=3)

        @check("the pattern of an address in the description has in it what is taken, and not what is refused")
        def _():
            parameters = requests.get(description).json()["components"]["parameters"]
            pattern = parameters["callbackUrl"]["schema"]["pattern"]
            taken = ["https://a.example", "HTTPS://A_b.Example:18443/back*?of=mine", "http://[::1]:8080/ä"]
            refused = ["a.example/back", "ftp://a.example", "https;//a.example", "https:///back", "https://me@a.example", "https://a.example/#here"]
            for address, status in [(it, 200) for it in taken] + [(it, 400) for it in refused]:
                ask = {"apiKey": CLIENT, "callbackUrl": address}
                answer = requests.get(f"{base}/elements/quickbooks/oauth/url", ask, headers={"Authorization": secrets})
                equal((address, answer.status_code), (address, status))
                equal((address, bool(re.search(pattern, address))), (address, status == 200))

        @check("and the relay is well after all of it")
        def _():
            equal(requests.get(f"{gateway.admin}/readyz").status_code, 200)
            create()
