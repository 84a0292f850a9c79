"""What leaves the relay, taken by `cloudevents` and `standardwebhooks` as a receiver would."""

import base64
import hashlib
import hmac
import json

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.v1.http import from_http
from gateway import CA_FILE, Gateway, Receiver, check, equal, eventually
from standardwebhooks import Webhook, WebhookVerificationError

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_" + base64.b64encode(bytes(range(64))).decode()
# A published test key, from svix/svix-webhooks.
PAIR = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
ELEMENTS = "the bytes as they are"
COUNT, COMPANIES = 30, 3


def answer(request):
    """As a careful receiver: what is not signed is not taken."""
    if request.path == "/open-connectors":
        return 200
    try:
        for secret in (OLD, NEW):
            Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return 401
    return 204


receiver = Receiver(answer)


def sink(format, secret):
    return f"""
[[sink]]
name = "{format}"
kind = "http"
url = "{receiver.url}/{format}"
format = "{format}"
ca_file = "{CA_FILE}"
{secret}
"""


def sent_to(format):
    return [request for request in list(receiver.requests) if request.path == f"/{format}"]


def in_order(events):
    """Whether each company's events have the numbers 1, 2, 3, ..."""
    for realm in {event["realmid"] for event in events}:
        numbers = [int(event["sequence"]) for event in events if event["realmid"] == realm]
        equal(numbers, list(range(1, len(numbers) + 1)))


tables = (
    sink("cloudevents", 'signing_secret_file = "secret"')
    + sink("cloudevents-batch", 'signing_secret_file = "secret"')
    + sink("open-connectors", f'signing_secret = "{ELEMENTS}"')
)
files = [("secret", f"{NEW}\n{OLD}\n{PAIR}\n")]

with Gateway(tables, files) as gateway:
    sent = gateway.simulate("--count", str(COUNT), "--realms", str(COMPANIES), "--format", "mixed")
    equal(sent.returncode, 0)
    changes = [change for receipt in gateway.journal() for change in receipt["changes"]]
    equal(len(changes), COUNT)
    eventually("each change as one event", lambda: len(sent_to("cloudevents")) >= COUNT)

    @check("`cloudevents` reads each event as the journal has it, in both of its interfaces")
    def _():
        events = []
        for request in sent_to("cloudevents"):
            event = from_http_event(HTTPMessage(headers=request.headers, body=request.body))
            older = from_http(request.headers, request.body)
            equal(older["id"], event.get_id())
            equal(event.get_datacontenttype(), "application/json")
            equal(event.get_time().utcoffset().total_seconds(), 0)
            equal(older.data["entity"], event.get_data()["entity"])
            events.append(event.get_attributes())
        in_order(events)
        by_id = {change["id"]: change for change in changes}
        equal({event["id"] for event in events}, set(by_id))
        for event in events:
            change = by_id[event["id"]]
            equal(event["source"], f"/qbo/{change['realm']}")
            equal(event["type"], change["type"])
            equal(event["subject"], f"{change['entity']}/{change['entity_id']}")
            equal(int(event["sequence"]), change["sequence"])

    @check("`standardwebhooks` verifies each of them under the old and the new secret")
    def _():
        for request in sent_to("cloudevents"):
            for secret in (OLD, NEW):
                read = Webhook(secret).verify(request.body, request.headers)
                equal(read["id"], request.headers["webhook-id"])
            versions = [part.split(",")[0] for part in request.headers["webhook-signature"].split(" ")]
            equal(versions, ["v1", "v1", "v1a"])

    @check("and none that was touched on the way")
    def _():
        request = sent_to("cloudevents")[0]
        touched = [
            (request.body + b" ", {}),
            (request.body, {"webhook-id": request.headers["webhook-id"] + "0"}),
            (request.body, {"webhook-timestamp": "1614265330"}),
        ]
        for body, changed in touched:
            try:
                Webhook(NEW).verify(body, {**request.headers, **changed})
            except WebhookVerificationError:
                continue
            raise AssertionError(f"verified with {changed or 'another body'}")

    @check("a batch is an array of the same events, under one signature")
    def _():
        batched = lambda: [event for request in sent_to("cloudevents-batch") for event in request.json()]
        eventually("each change in a batch", lambda: len(batched()) >= COUNT)
        in_order(batched())
        equal(sorted(event["id"] for event in batched()), sorted(change["id"] for change in changes))
        for request in sent_to("cloudevents-batch"):
            equal(request.headers["content-type"].split(";")[0], "application/cloudevents-batch+json")
            Webhook(NEW).verify(request.body, request.headers)
            for event in request.json():
                single = {"content-type": "application/cloudevents+json"}
                read = from_http_event(HTTPMessage(headers=single, body=json.dumps(event).encode()))
                equal(read.get_id(), event["id"])

    @check("an Open Connectors callback is signed as Cloud Elements documents it")
    def _():
        told = lambda: [
            event for request in sent_to("open-connectors") for event in request.json()["message"]["events"]
        ]
        eventually("each change in a callback", lambda: len(told()) >= COUNT)
        equal(
            sorted(event["objectId"] for event in told()),
            sorted(change["entity_id"] for change in changes),
        )
        for request in sent_to("open-connectors"):
            digest = hmac.new(ELEMENTS.encode(), request.body, hashlib.sha256).digest()
            expected = "sha256=" + base64.b64encode(digest).decode()
            equal(request.headers["elements-webhook-signature"], expected)
            equal(bool(request.headers["elements-webhook-id"]), True)

    @check("the receiver had to refuse nothing, and the journal says so")
    def _():
        done = lambda: all(
            sink["state"] == "delivered"
            for receipt in gateway.journal()
            for change in receipt["changes"]
            for sink in change["sinks"]
        )
        eventually("every change is delivered to every sink", done)
