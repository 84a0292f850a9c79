"""Requests as integrators write them by hand after the original's pages: XML, JSV, CSV, forms, JSONP."""

import datetime
import html
import io
import json
import re
import xml.etree.ElementTree as tree
from urllib.parse import urlencode

import requests
import webhooks_dtos as dtos
import xmlschema
from gateway import Gateway, check, equal
from servicestack import JsonServiceClient
from servicestack.clients import UploadFile
from servicestack.reflection import to_jsv_data

NAMESPACE = "http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener"
TYPES = "{http://schemas.servicestack.net/types}"
TABLES = """
[[source]]
name = "drop-in"
path = "/qbowebhook"
predefined_routes = true
addresses = ["127.0.0.0/8", "::1/128"]
companies = "any"
[[source]]
name = "by-query"
predefined_routes = true
bearer_token = "tok"
companies = "any"
"""
# The sample of the original's XML page, with a value in each place.
XML = f"""<QboWebhooksRequest xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns="{NAMESPACE}">
<eventNotifications>
<QBOEventNotification>
<DataChangeEvent>
<Entities>
<QBOEntity>
<DeletedId>%(deleted)s</DeletedId>
<Id>%(id)s</Id>
<LastUpdated>2015-10-05T14:42:19-07:00</LastUpdated>
<Name>Customer</Name>
<Operation>Merge</Operation>
</QBOEntity>
</Entities>
</DataChangeEvent>
<RealmId>1185883450</RealmId>
</QBOEventNotification>
</eventNotifications>
</QboWebhooksRequest>"""
JSV = (
    "{eventNotifications:[{realmId:1185883450,dataChangeEvent:{entities:[{name:Customer,id:%(id)s,"
    "operation:Merge,lastUpdated:2015-10-05T14:42:19-07:00,deletedId:%(deleted)s}]}}]}"
)
JSON = (
    r'{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer",'
    r'"id":"%(id)s","operation":"Merge","lastUpdated":"\/Date(1444081339000-0700)\/","deletedId":"%(deleted)s"}]}}]}'
)
CSV = (
    "realmId,name,id,operation,lastUpdated,deletedId\r\n"
    "1185883450,Customer,%(id)s,Merge,2015-10-05T14:42:19-07:00,%(deleted)s\r\n"
)

FORMATS = {
    "json": "application/json",
    "xml": "application/xml",
    "jsv": "text/jsv",
    "csv": "text/csv",
    "jsonl": "text/jsonl",
}

numbers = iter(range(1, 10_000))

with Gateway(TABLES) as gateway:

    def post(path, body, content_type, accept=None):
        """Posts a body with numbers of its own, and gives them back with the answer."""
        said = {"id": str(next(numbers)), "deleted": str(next(numbers))}
        headers = {"Content-Type": content_type, **({"Accept": accept} if accept else {})}
        return said, requests.post(gateway.url + path, data=(body % said).encode(), headers=headers)

    def kept(said, encoding):
        """The merge that each of the bodies tells is in the journal, and nothing else."""
        receipt = gateway.journal()[-1]
        [change] = receipt["changes"]
        equal(receipt["encoding"], encoding)
        equal((change["type"], change["entity_id"]), ("qbo.customer.merged.v1", said["id"]))
        equal((change["deleted_id"], change["happened_at"]), (said["deleted"], "2015-10-05T21:42:19.000Z"))

    def answered(answer, body, content_type):
        equal((answer.status_code, answer.text), (200, body))
        equal(answer.headers["content-type"], f"{content_type}; charset=utf-8")

    @check("the XML page's sample is taken and answered in XML")
    def _():
        said, answer = post("/qbowebhook", XML, "application/xml", "application/xml")
        answered(answer, "OK", "application/xml")
        kept(said, "xml")

    @check("and on the routes that name the format, whatever is accepted")
    def _():
        for path in ("/qbowebhook.xml", "/xml/reply/QboWebhooksRequest", "/api/QboWebhooksRequest.xml", "/XML/REPLY/qboWebhooksRequest"):
            said, answer = post(path, XML, "application/xml", "application/json")
            answered(answer, "OK", "application/xml")
            kept(said, "xml")

    @check("an XML error is the framework's ErrorResponse")
    def _():
        before = len(gateway.journal())
        _, answer = post("/qbowebhook", XML.replace("Customer", "Nonsense"), "application/xml")
        equal(answer.status_code, 400)
        error = tree.fromstring(answer.content)
        equal(error.tag, f"{TYPES}ErrorResponse")
        status = error.find(f"{TYPES}ResponseStatus")
        equal(status.find(f"{TYPES}ErrorCode").text, "SerializationException")
        equal("Requested value 'Nonsense' was not found" in status.find(f"{TYPES}Message").text, True)
        equal(answer.reason, "SerializationException")
        equal(len(gateway.journal()), before)

    @check("entities and document types of XML are refused")
    def _():
        bomb = '<!DOCTYPE a [<!ENTITY b "Customer">]>' + XML.replace("Customer", "&b;")
        for body in (bomb, XML.replace("Customer", "&b;")):
            equal(post("/qbowebhook", body, "application/xml")[1].status_code, 400)

    @check("the JSV page's sample is taken and answered in JSV")
    def _():
        for path, accept in (("/qbowebhook", "text/jsv"), ("/qbowebhook.jsv", None), ("/jsv/reply/QboWebhooksRequest", "*/*")):
            said, answer = post(path, JSV, "text/jsv", accept)
            answered(answer, "OK", "text/jsv")
            kept(said, "jsv")

    @check("what the servicestack package writes as JSV is read")
    def _():
        moment = datetime.datetime.fromisoformat("2015-10-05T14:42:19-07:00")
        entity = dtos.QBOEntity(dtos.QBOEntityName.CUSTOMER, "j1", dtos.QBOOperation.MERGE, moment, "j2")
        event = dtos.QBODataChangeEvent(entities=[entity])
        sent = dtos.QboWebhooksRequest([dtos.QBOEventNotification("1185883450", event)])
        fields = dict(to_jsv_data(sent))
        answer = requests.post(gateway.url + "/qbowebhook", data=fields)
        answered(answer, '"OK"', "application/json")
        kept({"id": "j1", "deleted": "j2"}, "form")

    @check("so is what it posts with a file beside it: a form of several parts")
    def _():
        moment = datetime.datetime.fromisoformat("2015-10-05T14:42:19-07:00")
        entity = dtos.QBOEntity(dtos.QBOEntityName.CUSTOMER, "j3", dtos.QBOOperation.MERGE, moment, "j4")
        event = dtos.QBODataChangeEvent(entities=[entity])
        sent = dtos.QboWebhooksRequest([dtos.QBOEventNotification("1185883450", event)])
        file = UploadFile("upload", "note.txt", "text/plain", io.BytesIO(b"--\r\nnothing of the request\r\n"))
        url = gateway.url + "/qbowebhook"
        equal(JsonServiceClient(gateway.url).post_files_with_request_url(url, sent, [file]), "OK")
        kept({"id": "j3", "deleted": "j4"}, "form")

    @check("the JSON page's sample is taken, with its dates, and also under text/csv as the CSV page has it")
    def _():
        said, answer = post("/qbowebhook", JSON, "application/json", "application/json")
        answered(answer, '"OK"', "application/json")
        kept(said, "json")
        said, answer = post("/qbowebhook", JSON, "text/csv", "text/csv")
        answered(answer, "OK", "text/csv")
        kept(said, "json")

    @check("rows of CSV are taken")
    def _():
        said, answer = post("/qbowebhook.csv", CSV, "text/csv")
        answered(answer, "OK", "text/csv")
        kept(said, "csv")

    @check("a form is taken, and so is a query in place of a body")
    def _():
        inner = JSV.removeprefix("{eventNotifications:").removesuffix("}")
        for send in ("body", "query"):
            said = {"id": str(next(numbers)), "deleted": str(next(numbers))}
            form = urlencode({"eventNotifications": inner % said})
            if send == "body":
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                answer = requests.post(gateway.url + "/qbowebhook", data=form, headers=headers)
            else:
                alone = requests.get(f"{gateway.url}/api/QboWebhooksRequest?{form}")
                equal(alone.status_code, 401)
                shown = {"Authorization": "Bearer tok"}
                answer = requests.get(f"{gateway.url}/api/QboWebhooksRequest?{form}", headers=shown)
            answered(answer, '"OK"', "application/json")
            kept(said, "form")

    @check("`?callback=` makes a script of the answer, and of an error with status 200")
    def _():
        said, answer = post("/qbowebhook?callback=my.call%28back", JSON, "application/json")
        answered(answer, 'my.call_back("OK")', "text/javascript")
        kept(said, "json")
        _, answer = post("/qbowebhook?callback=cb", "{", "application/json")
        equal(answer.status_code, 200)
        error = json.loads(answer.text.removeprefix("cb(").removesuffix(")"))
        equal(error["responseStatus"]["errorCode"], "SerializationException")

    @check("`?format=` decides before the headers do")
    def _():
        for name, content_type in (("xml", "application/xml"), ("jsv", "text/jsv"), ("csv", "text/csv")):
            said, answer = post(f"/qbowebhook?format={name}", JSON, "application/json", "application/json")
            answered(answer, "OK", content_type)
            kept(said, "json")

    @check("a one-way request is kept and has no answer")
    def _():
        said, answer = post("/xml/oneway/QboWebhooksRequest", XML, "application/xml")
        equal((answer.status_code, answer.content), (204, b""))
        kept(said, "xml")

    @check("the metadata that integrators start from is on the admin listener and not on the public one")
    def _():
        operation = "op=QboWebhooksRequest"
        for path in ("/metadata", "/metadata/app", f"/json/metadata?{operation}", f"/xml/metadata?{operation}", f"/jsv/metadata?{operation}", f"/csv/metadata?{operation}"):
            page = requests.get(gateway.admin + path)
            equal((page.status_code, "QboWebhooksRequest" in page.text), (200, True))
            equal(requests.get(gateway.url + path).status_code, 404)
        for path in ("/types/metadata", "/types/typescript", "/types/mjs", "/types/python", "/types/csharp", "/types/xsd"):
            equal(requests.get(gateway.admin + path).status_code, 200)

    @check("the samples on its pages are taken as they stand, and answered in their format")
    def _():
        for name, media_type in FORMATS.items():
            page = requests.get(f"{gateway.admin}/{name}/metadata?op=QboWebhooksRequest").text
            head, _, body = html.unescape(re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)[1]).partition("\n\n")
            line, *fields = head.split("\n")
            headers = dict(field.split(": ") for field in fields if field.startswith(("Accept", "Content-Type")))
            answer = requests.post(gateway.url + line.split(" ")[1], data=body.encode(), headers=headers)
            answered(answer, '"OK"' if name.startswith("json") else "OK", media_type)

    @check("its XSD is a schema, and holds for what is taken: the page's sample and what .NET writes")
    def _():
        schema = xmlschema.XMLSchema(requests.get(f"{gateway.admin}/types/xsd").text)
        equal(schema.target_namespace, NAMESPACE)
        schema.validate(XML % {"id": "1", "deleted": "2"})
        schema.validate((XML % {"id": "1", "deleted": "2"}).replace("<DeletedId>2</DeletedId>", '<DeletedId i:nil="true"/>'))
        equal(schema.is_valid((XML % {"id": "1", "deleted": "2"}).replace("Customer", "Nonsense")), False)


with Gateway(TABLES + "[servicestack]\nraw_strings = true\n") as raw:

    @check("`raw_strings` answers JSON as the framework does: without quotes")
    def _():
        answer = requests.post(raw.url + "/qbowebhook", json={})
        equal((answer.status_code, answer.text), (200, "OK"))
