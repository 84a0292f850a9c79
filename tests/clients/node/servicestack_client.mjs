// `@servicestack/client` with the classes of the original listener, unchanged, against the relay.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { JsonServiceClient } from "@servicestack/client";
import typescript from "typescript";
import { CA_FILE, Gateway, Receiver, check, eventually } from "../support/gateway.mjs";
import * as dtos from "../support/webhooks_dtos.mjs";

const REALM = "1185883450";
const receiver = await Receiver.start();
const gateway = await Gateway.start(`
[[source]]
name = "drop-in"
path = "/qbowebhook"
predefined_routes = true
addresses = ["127.0.0.0/8", "::1/128"]
companies = "any"
[[source]]
name = "tokened"
path = "/with-token"
predefined_routes = true
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
url = "${receiver.url}/hooks"
ca_file = "${CA_FILE}"
`);
const last = async () => (await gateway.journal()).at(-1);
const told = (receipt) =>
  receipt.changes.map((change) => `${change.entity}/${change.entity_id} ${change.type}`);

let number = 0;
/** An entity of its own for each call, so that none is a repeat. */
function entity(fields = {}) {
  number += 1;
  const known = { name: dtos.QBOEntityName.Customer, id: `${number}`, operation: "Update" };
  return new dtos.QBOEntity({ ...known, lastUpdated: "2015-10-05T14:42:19-07:00", ...fields });
}

function request(...entities) {
  const dataChangeEvent = new dtos.QBODataChangeEvent({
    entities: entities.length ? entities : [entity()],
  });
  return new dtos.QboWebhooksRequest({
    eventNotifications: [new dtos.QBOEventNotification({ realmId: REALM, dataChangeEvent })],
  });
}

const client = new JsonServiceClient(gateway.url);

await check("`post` of the class as it was generated arrives, entity by entity", async () => {
  const sent = request(
    entity({ id: "a", operation: dtos.QBOOperation.Create }),
    entity({ name: "Vendor", id: "b", operation: "Merge", lastUpdated: new Date("2015-10-05T21:42:19.123Z"), deletedId: "99" }),
    new dtos.QBOEntity({ name: dtos.QBOEntityName.Class, id: "c", operation: "Void" }),
  );
  equal(await client.post(sent), "OK");
  const receipt = await last();
  deepEqual(told(receipt), [
    "Customer/a qbo.customer.created.v1",
    "Vendor/b qbo.vendor.merged.v1",
    "Class/c qbo.class.void.v1",
  ]);
  equal(receipt.changes[1].deleted_id, "99");
  equal(receipt.changes[1].happened_at, "2015-10-05T21:42:19.123Z");
  deepEqual([receipt.verifier, receipt.authenticity], ["drop-in", "address"]);
});

await check("so does `postToUrl`, and the receiver gets it as a CloudEvent", async () => {
  const sent = entity({ name: dtos.QBOEntityName.Invoice });
  equal(await client.postToUrl("/qbowebhook", request(sent)), "OK");
  const arrived = () => receiver.requests.map(({ body }) => JSON.parse(body));
  const subject = `Invoice/${sent.id}`;
  const event = await eventually("it leaves", () => arrived().find((event) => event.subject === subject));
  deepEqual([event.type, event.realmid], ["qbo.invoice.updated.v1", REALM]);
});

await check("a number that stands for two names stays a number", async () => {
  await client.post(request(entity({ name: dtos.QBOEntityName.Item })));
  const [change] = (await last()).changes;
  deepEqual([change.entity, change.type], ["24", "qbo.24.updated.v1"]);
  deepEqual(JSON.parse(change.data).candidates, ["Bill", "Item"]);
});

await check("`send`, `api`, `publish` and `sendOneWay` all arrive", async () => {
  const before = (await gateway.journal()).length;
  equal(await client.send(request()), "OK");
  const result = await client.api(request());
  ok(result.succeeded);
  equal(result.response, "OK");
  await client.publish(request());
  await client.sendOneWay(request());
  equal((await gateway.journal()).length, before + 4);
});

await check("`sendAll` brings one answer for each request", async () => {
  deepEqual(await client.sendAll([request(), request(), request()]), ["OK", "OK", "OK"]);
  equal((await last()).changes.length, 3);
});

await check("`sendAllOneWay` is kept, on both base paths", async () => {
  for (const basePath of ["api", ""]) {
    const before = (await gateway.journal()).length;
    const oneWay = new JsonServiceClient(gateway.url);
    oneWay.basePath = basePath;
    await oneWay.sendAllOneWay([request(), request()]);
    equal((await gateway.journal()).length, before + 1);
  }
});

await check("`basePath = ''` makes it /json/reply/QboWebhooksRequest", async () => {
  const older = new JsonServiceClient(gateway.url);
  older.basePath = "";
  equal(await older.post(request()), "OK");
  deepEqual(await older.sendAll([request(), request()]), ["OK", "OK"]);
});

await check("the junk in the query of `postBody` does not override its body", async () => {
  const sent = request();
  equal(await client.postBody(sent, sent), "OK");
  equal((await last()).changes[0].entity_id, `${number}`);
});

await check("`get` of this class cannot say anything, and is told so in the client's own error", async () => {
  const tokened = new JsonServiceClient(gateway.url);
  tokened.bearerToken = "tok";
  await rejects(tokened.get(request()), (error) => {
    equal(error.responseStatus.errorCode, "SerializationException");
    return true;
  });
});

await check("a `get` by the address alone changes nothing, and is asked for a credential", async () => {
  await rejects(client.get(request()), (error) => {
    equal(error.responseStatus.errorCode, "Unauthorized");
    return true;
  });
});

await check("a bearer token is asked for where a source has one, and read from the client", async () => {
  const tokened = new JsonServiceClient(gateway.url);
  tokened.bearerToken = "tik";
  await rejects(tokened.postToUrl("/with-token", request()), (error) => {
    equal(error.responseStatus.errorCode, "Unauthorized");
    return true;
  });
  tokened.bearerToken = "tok";
  equal(await tokened.postToUrl("/with-token", request()), "OK");
  equal((await last()).verifier, "tokened");
});

await check("user and password likewise", async () => {
  const named = new JsonServiceClient(gateway.url);
  named.setCredentials("u", "p");
  equal(await named.postToUrl("/with-name", request()), "OK");
  const receipt = await last();
  deepEqual([receipt.verifier, receipt.authenticity], ["named", "credential"]);
});

await check("what is wrong with a body comes as the client's own error, with the field's name", async () => {
  const before = (await gateway.journal()).length;
  await rejects(client.post(request(entity({ name: "Nonsense" }))), (error) => {
    const { errorCode, message, errors } = error.responseStatus;
    equal(errorCode, "SerializationException");
    match(message, /Requested value 'Nonsense' was not found/);
    match(errors[0].fieldName, /name$/);
    return true;
  });
  const result = await client.api(request(entity({ lastUpdated: "yesterday" })));
  ok(result.failed);
  equal(result.error.errorCode, "SerializationException");
  equal((await gateway.journal()).length, before);
});

await check("the types that the admin listener generates can be used in place of the original's", async () => {
  const source = await (await fetch(`${gateway.admin}/types/mjs`)).text();
  const file = join(gateway.folder, "generated.mjs");
  writeFileSync(file, source);
  const made = await import(pathToFileURL(file));
  for (const name of Object.keys(dtos.QBOEntityName)) {
    equal(made.QBOEntityName[name], dtos.QBOEntityName[name], name);
  }
  const sent = new made.QBOEntity({ name: made.QBOEntityName.Term, id: "t", operation: made.QBOOperation.Delete });
  const dataChangeEvent = new made.QBODataChangeEvent({ entities: [sent] });
  const notification = new made.QBOEventNotification({ realmId: REALM, dataChangeEvent });
  equal(await client.post(new made.QboWebhooksRequest({ eventNotifications: [notification] })), "OK");
  deepEqual(told(await last()), ["Term/t qbo.term.deleted.v1"]);
});

await check("its types in TypeScript compile without a complaint, and what is made of them arrives", async () => {
  const source = await (await fetch(`${gateway.admin}/types/typescript`)).text();
  const file = join(gateway.folder, "typed.mts");
  const use = `export const sent = new QBOEntity({ name: QBOEntityName.Term, id: "ts", operation: QBOOperation.Void });
export const event = new QBODataChangeEvent({ entities: [sent] });
export const request = new QboWebhooksRequest({
  eventNotifications: [new QBOEventNotification({ realmId: "${REALM}", dataChangeEvent: event })],
});`;
  writeFileSync(file, `${source}\n${use}`);
  const { ModuleKind, ScriptTarget } = typescript;
  const options = { target: ScriptTarget.ES2022, module: ModuleKind.ESNext, types: [] };
  const program = typescript.createProgram([file], options);
  const complaints = typescript.getPreEmitDiagnostics(program).map(({ messageText }) => messageText);
  deepEqual(complaints, []);
  program.emit();
  const { request: made } = await import(pathToFileURL(file.replace(/mts$/, "mjs")));
  equal(await client.post(made), "OK");
  deepEqual(told(await last()), ["Term/ts qbo.term.void.v1"]);
});

await gateway.stop();
receiver.stop();
