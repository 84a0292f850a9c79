// What leaves the relay, taken by `cloudevents` and `standardwebhooks` as a receiver would.

import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { createHmac } from "node:crypto";
import { HTTP } from "cloudevents";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { CA_FILE, Gateway, Receiver, check, eventually } from "../support/gateway.mjs";

const OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW = `whsec_${Buffer.from(Array.from({ length: 24 }, (_, at) => at)).toString("base64")}`;
const ELEMENTS = "the bytes as they are";
const COUNT = 30;

/** As a careful receiver: what is not signed is not taken. */
function answer({ path, headers, body }) {
  if (path === "/open-connectors") return 200;
  try {
    for (const secret of [OLD, NEW]) new Webhook(secret).verify(body, headers);
    return 204;
  } catch {
    return 401;
  }
}

const receiver = await Receiver.start(answer);
const sink = (format, secret) => `
[[sink]]
name = "${format}"
kind = "http"
url = "${receiver.url}/${format}"
format = "${format}"
ca_file = "${CA_FILE}"
${secret}
`;
const sentTo = (format) => receiver.requests.filter(({ path }) => path === `/${format}`);

/** Each company's events have the numbers 1, 2, 3, ... */
function inOrder(events) {
  const counts = new Map();
  for (const { realmid, sequence } of events) {
    const next = (counts.get(realmid) ?? 0) + 1;
    equal(Number(sequence), next);
    counts.set(realmid, next);
  }
}

const gateway = await Gateway.start(
  sink("cloudevents", 'signing_secret_file = "secret"') +
    sink("cloudevents-batch", 'signing_secret_file = "secret"') +
    sink("open-connectors", `signing_secret = "${ELEMENTS}"`),
  { secret: `${NEW}\n${OLD}\n` },
);
const sent = await gateway.simulate("--count", `${COUNT}`, "--realms", "3", "--format", "mixed");
equal(sent.stderr, "");
const changes = (await gateway.journal()).flatMap((receipt) => receipt.changes);
const ids = changes.map((change) => change.id).sort();
equal(ids.length, COUNT);
await eventually("each change as one event", () => sentTo("cloudevents").length >= COUNT);

await check("`cloudevents` reads each event, strictly, as the journal has it", () => {
  const events = sentTo("cloudevents").map((request) => HTTP.toEvent(request));
  for (const event of events) ok(event.validate());
  inOrder(events);
  deepEqual(events.map((event) => event.id).sort(), ids);
  const byId = new Map(changes.map((change) => [change.id, change]));
  for (const event of events) {
    const change = byId.get(event.id);
    equal(event.source, `/qbo/${change.realm}`);
    equal(event.type, change.type);
    equal(event.subject, `${change.entity}/${change.entity_id}`);
    equal(new Date(event.time).toISOString(), new Date(change.happened_at).toISOString());
    equal(event.data.operation, change.operation);
  }
});

await check("and a batch as an array of the same ones", async () => {
  const batched = () => sentTo("cloudevents-batch").flatMap((request) => HTTP.toEvent(request));
  await eventually("each change in a batch", () => batched().length >= COUNT);
  inOrder(batched());
  deepEqual(batched().map((event) => event.id).sort(), ids);
});

await check("`standardwebhooks` verifies each delivery under the old and the new secret", () => {
  for (const { body, headers } of [...sentTo("cloudevents"), ...sentTo("cloudevents-batch")]) {
    for (const secret of [OLD, NEW]) ok(new Webhook(secret).verify(body, headers));
  }
});

await check("and none that was touched on the way", () => {
  const [{ body, headers }] = sentTo("cloudevents");
  const webhook = new Webhook(NEW);
  const touched = [
    [`${body} `, headers],
    [body, { ...headers, "webhook-id": `${headers["webhook-id"]}0` }],
    [body, { ...headers, "webhook-timestamp": "1614265330" }],
  ];
  for (const [body, headers] of touched) {
    throws(() => webhook.verify(body, headers), WebhookVerificationError);
  }
});

await check("an Open Connectors callback is signed as Cloud Elements documents it", async () => {
  const told = () =>
    sentTo("open-connectors").flatMap(({ body }) => JSON.parse(body).message.events);
  await eventually("each change in a callback", () => told().length >= COUNT);
  for (const { body, headers } of sentTo("open-connectors")) {
    const digest = createHmac("sha256", ELEMENTS).update(body).digest("base64");
    equal(headers["elements-webhook-signature"], `sha256=${digest}`);
  }
});

await check("the events of CloudEvents' own writer are taken as Intuit's when they are signed", async () => {
  const { CloudEvent } = await import("cloudevents");
  const { TOKEN } = await import("../support/gateway.mjs");
  const event = new CloudEvent({
    source: "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
    type: "qbo.invoice.updated.v1",
    intuitentityid: "77",
    intuitaccountid: "310687",
    data: {},
  });
  const body = JSON.stringify([event]);
  const signature = createHmac("sha256", TOKEN).update(body).digest("base64");
  const answer = await fetch(`${gateway.url}/qbowebhook`, {
    method: "POST",
    headers: { "intuit-signature": signature, "content-type": "application/cloudevents-batch+json" },
    body,
  });
  deepEqual([answer.status, await answer.json()], [200, "OK"]);
  const receipt = (await gateway.journal()).at(-1);
  deepEqual([receipt.body, receipt.changes[0].sender_id], [body, event.id]);
});

await gateway.stop();
receiver.stop();
