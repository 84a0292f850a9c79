"""The `servicestack` package with the classes of the original listener, unchanged, against the relay."""

import datetime
import sys
import types
from dataclasses import dataclass

import requests
import webhooks_dtos as dtos
from dataclasses_json import LetterCase, Undefined, dataclass_json
from gateway import CA_FILE, Gateway, Receiver, check, equal, eventually
from servicestack import IReturn, JsonServiceClient, WebServiceException

REALM = "1185883450"
receiver = Receiver()
TABLES = f"""
[[source]]
name = "drop-in"
path = "/qbowebhook"
predefined_routes = true
addresses = ["127.0.0.0/8", "::1/128"]
companies = "any"
[[source]]
name = "tokened"
path = "/with-token"
bearer_token = "tok"
companies = "any"
[[source]]
name = "named"
path = "/with-name"
basic_username = "u"
basic_password = "p"
companies = "any"
[[sink]]
name = "erp"
kind = "http"
url = "{receiver.url}/hooks"
ca_file = "{CA_FILE}"
"""


@dataclass_json(letter_case=LetterCase.CAMEL, undefined=Undefined.EXCLUDE)
@dataclass
class QboWebhooksRequest(dtos.QboWebhooksRequest, IReturn[str]):
    """The request as a client extends it whose `post` shall know what comes back."""


numbers = iter(range(1, 10_000))


def entity(**fields):
    """An entity of its own for each call, so that none is a repeat."""
    known = {"id": str(next(numbers)), "operation": dtos.QBOOperation.UPDATE}
    known["last_updated"] = datetime.datetime(2015, 10, 5, 21, 42, 19, tzinfo=datetime.timezone.utc)
    return dtos.QBOEntity(**{**known, **fields})


def request(*entities, of=QboWebhooksRequest):
    event = dtos.QBODataChangeEvent(entities=list(entities) or [entity(name=dtos.QBOEntityName.CUSTOMER)])
    notification = dtos.QBOEventNotification(realm_id=REALM, data_change_event=event)
    return of(event_notifications=[notification])


def refused(send):
    """The error that the client raises."""
    try:
        answer = send()
    except WebServiceException as error:
        return error
    raise AssertionError(f"accepted: {answer!r}")


with Gateway(TABLES) as gateway:
    client = JsonServiceClient(gateway.url)

    def last():
        return gateway.journal()[-1]

    def told(receipt):
        return [
            (change["entity"], change["entity_id"], change["operation"], change["realm"])
            for change in receipt["changes"]
        ]

    @check("`post` of the class as it was generated does not send anything: so says the package")
    def _():
        try:
            client.post(request(of=dtos.QboWebhooksRequest))
        except TypeError:
            return equal(gateway.journal(), [])
        raise AssertionError("it was sent")

    @check("`post_url` of that class arrives, entity by entity, with its dates")
    def _():
        sent = request(
            entity(
                name=dtos.QBOEntityName.CUSTOMER,
                operation=dtos.QBOOperation.CREATE,
                last_updated=datetime.datetime.fromisoformat("2015-10-05T14:42:19-07:00"),
            ),
            entity(name=dtos.QBOEntityName.INVOICE, operation=dtos.QBOOperation.MERGE, deleted_id="99"),
            dtos.QBOEntity(name=dtos.QBOEntityName.CLASS_, id="3", operation=dtos.QBOOperation.VOID),
            of=dtos.QboWebhooksRequest,
        )
        equal(client.post_url("/qbowebhook", sent, response_as=str), '"OK"')
        receipt = last()
        equal((receipt["verifier"], receipt["authenticity"], receipt["encoding"]), ("drop-in", "address", "json"))
        kinds = [(change["type"], change["happened_at"], change["deleted_id"]) for change in receipt["changes"]]
        equal(
            kinds,
            [
                ("qbo.customer.created.v1", "2015-10-05T21:42:19.000Z", None),
                ("qbo.invoice.merged.v1", "2015-10-05T21:42:19.000Z", "99"),
                # The year 1 is what the client writes where it was given nothing.
                ("qbo.class.void.v1", None, None),
            ],
        )

    @check("and the answer is read when the client is told nothing of its type")
    def _():
        equal(client.post_url("/qbowebhook", request(of=dtos.QboWebhooksRequest)), "OK")

    @check("a number that stands for two names stays a number, with both names beside it")
    def _():
        # In Python VENDOR is another name of DEPARTMENT, so the client cannot say Vendor.
        client.post_url("/qbowebhook", request(entity(name=dtos.QBOEntityName.VENDOR)), response_as=str)
        [change] = last()["changes"]
        equal((change["entity"], change["type"]), ("21", "qbo.21.updated.v1"))
        arrived = lambda: [event.json() for event in receiver.requests if event.json()["id"] == change["id"]]
        [event] = eventually("it leaves", arrived)
        notified = event["data"]["notified"]
        equal(notified, {"entityNumber": 21, "candidates": ["Department", "Vendor"]})
        equal(event["subject"].split("/")[0], "21")

    @check("`post` goes to /api/QboWebhooksRequest when the class says what it returns")
    def _():
        sent = request()
        equal(client.post(sent), '"OK"')
        identifier = sent.event_notifications[0].data_change_event.entities[0].id
        equal(told(last()), [("Customer", identifier, "Update", REALM)])

    @check("`set_base_path('')` makes it /json/reply/QboWebhooksRequest")
    def _():
        older = JsonServiceClient(gateway.url).set_base_path("")
        equal(older.post(request()), '"OK"')
        equal(len(last()["changes"]), 1)

    @check("`send_all` brings one answer for each request, on both base paths")
    def _():
        for base in ("api", ""):
            batch = JsonServiceClient(gateway.url).set_base_path(base)
            equal(batch.send_all([request(), request(), request()]), ["OK", "OK", "OK"])
            equal(len(last()["changes"]), 3)

    @check("`send_all_oneway` is kept, whatever the client makes of an empty answer")
    def _():
        before = len(gateway.journal())
        oneway = JsonServiceClient(gateway.url).set_base_path("")
        oneway.send_all_oneway([request(), request()])
        equal(len(gateway.journal()), before + 1)
        equal(len(last()["changes"]), 2)

    @check("an empty request is taken and says that it says nothing")
    def _():
        equal(client.post(QboWebhooksRequest()), '"OK"')
        receipt = last()
        equal((receipt["changes"], len(receipt["unreadable"])), ([], 1))

    @check("the same request again is a repeat and leaves once")
    def _():
        sent = request()
        before = len(gateway.journal())
        equal([client.post(sent), client.post(sent)], ['"OK"', '"OK"'])
        equal(len(gateway.journal()), before + 1)
        equal(last()["repeats"], 1)

    @check("a bearer token is asked for where a source has one, and read from the client")
    def _():
        for token, code in ((None, 401), ("tik", 401)):
            error = refused(
                lambda: JsonServiceClient(gateway.url)
                .set_bearer_token(token)
                .post_url("/with-token", request(), response_as=str)
            )
            equal((error.status_code, error.response_status.error_code), (code, "Unauthorized"))
        known = JsonServiceClient(gateway.url).set_bearer_token("tok")
        equal(known.post_url("/with-token", request(), response_as=str), '"OK"')
        equal((last()["verifier"], last()["authenticity"]), ("tokened", "credential"))

    @check("user and password likewise")
    def _():
        error = refused(
            lambda: JsonServiceClient(gateway.url)
            .set_credentials("u", "q")
            .post_url("/with-name", request(), response_as=str)
        )
        equal(error.status_code, 401)
        known = JsonServiceClient(gateway.url).set_credentials("u", "p")
        equal(known.post_url("/with-name", request(), response_as=str), '"OK"')
        equal((last()["verifier"], last()["authenticity"]), ("named", "credential"))

    @check("what is wrong with a body comes as the client's own exception, with the field's name")
    def _():
        before = len(gateway.journal())
        body = {"eventNotifications": [{"realmId": "1", "dataChangeEvent": {"entities": [{"name": "Nonsense", "id": "1"}]}}]}
        error = refused(lambda: client.post_url("/qbowebhook", body, response_as=str))
        status = error.response_status
        equal((error.status_code, status.error_code), (400, "SerializationException"))
        equal("Requested value 'Nonsense' was not found" in status.message, True)
        equal(status.errors[0].field_name.endswith("name"), True)
        error = refused(lambda: client.post_url("/qbowebhook", '{"eventNotifications":[', response_as=str))
        equal((error.status_code, error.response_status.error_code), (400, "SerializationException"))
        equal(len(gateway.journal()), before)

    @check("an operation that the service does not have is told as the framework tells it")
    def _():
        error = refused(lambda: client.post_url("/json/reply/Other", {}, response_as=str))
        equal((error.status_code, error.response_status.error_code), (405, "NotImplementedException"))

    @check("the types that the admin listener generates can be used in place of the original's")
    def _():
        source = requests.get(f"{gateway.admin}/types/python")
        equal(source.headers["content-type"].split(";")[0], "text/plain")
        module = types.ModuleType("generated")
        # A dataclass looks its own module up.
        sys.modules["generated"] = module
        exec(compile(source.text, "generated", "exec"), module.__dict__)
        made = module.QBOEntity(name=module.QBOEntityName.INVOICE, id="77", operation=module.QBOOperation.EMAILED)
        event = module.QBODataChangeEvent(entities=[made])
        notification = module.QBOEventNotification(realm_id=REALM, data_change_event=event)
        sent = module.QboWebhooksRequest(event_notifications=[notification])
        equal(client.post_url("/qbowebhook", sent, response_as=str), '"OK"')
        equal(told(last()), [("Invoice", "77", "Emailed", REALM)])
