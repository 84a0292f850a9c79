// The simulated Intuit, asked by Intuit's own OAuth client for Node and by node-quickbooks.

import { deepEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { promisify } from "node:util";
import OAuthClient from "intuit-oauth";
import QuickBooks from "node-quickbooks";
import { check } from "../support/gateway.mjs";
import { BACK, CLIENT, Intuit, SECRET } from "../support/intuit.mjs";

const intuit = await Intuit.start("--rotation", "each-time", "--records", "5");
await intuit.breakBy();
const endpoints = {
  authorizeEndpoint: `${intuit.base}/connect/oauth2`,
  tokenEndpoint: `${intuit.base}/oauth2/v1/tokens/bearer`,
  revokeEndpoint: `${intuit.base}/v2/oauth2/tokens/revoke`,
  userInfoEndpoint: `${intuit.base}/v1/openid_connect/userinfo`,
};
const company = `${intuit.base}/v3/company/${intuit.realm}`;
const hourAgo = new Date(Date.now() - 3_600_000).toISOString();

function oauth(others = {}) {
  const keys = { clientId: CLIENT, clientSecret: SECRET, redirectUri: BACK };
  const client = new OAuthClient({ ...keys, environment: "production", ...others });
  return client.setAuthorizeURLs(endpoints);
}

/** The address that the browser comes back to after consent. */
async function consented(client) {
  const uri = client.authorizeUri({ scope: [OAuthClient.scopes.Accounting], state: "from the test" });
  const answer = await fetch(uri, { redirect: "manual" });
  equal(answer.status, 302);
  return answer.headers.get("location");
}

async function connected(others) {
  const client = oauth(others);
  await client.createToken(await consented(client));
  return client;
}

await check("intuit-oauth exchanges the code of the address it is led back to, with the company in it", async () => {
  const client = oauth();
  const uri = await consented(client);
  const answer = await client.createToken(uri);
  equal(client.getToken().realmId, intuit.realm);
  equal(client.token.state, "from the test");
  equal(answer.json.expires_in, 3600);
  ok(client.isAccessTokenValid());
  await rejects(client.createToken(uri), { error: "invalid_grant" });
});

await check("intuit-oauth is told the hard end only where it asks for it", async () => {
  const [plain, asking] = [await connected(), await connected({ includeRefreshTokenHardExpiresIn: true })];
  equal((await plain.refresh()).json.x_refresh_token_hard_expires_in, undefined);
  const hard = (await asking.refresh()).json.x_refresh_token_hard_expires_in;
  ok(hard > 157_000_000 && hard <= 157_680_000, hard);
});

await check("intuit-oauth gets a new refresh token each time, and the old one is dead: invalid_grant", async () => {
  const client = await connected();
  const old = client.getToken().refresh_token;
  await client.refresh();
  notEqual(client.getToken().refresh_token, old);
  await rejects(client.refreshUsingToken(old), (error) => {
    equal(error.error, "invalid_grant");
    equal(error.error_description, "Incorrect or invalid refresh token");
    match(error.intuit_tid, /^1-/);
    return true;
  });
});

await check("intuit-oauth tries again by itself after a 503 and a 429", async () => {
  const client = await connected();
  OAuthClient.retryConfig.retryDelay = 1;
  await intuit.breakBy(
    { fault: "status", status: 503, call: "refresh", times: 1 },
    { fault: "throttled", call: "refresh", times: 1 },
  );
  equal((await client.refresh()).response.status, 200);
  await intuit.breakBy();
});

await check("intuit-oauth revokes, and neither token is good any more", async () => {
  const client = await connected();
  const access = client.getToken().access_token;
  equal((await client.revoke()).response.status, 200);
  await rejects(client.refresh());
  const headers = { authorization: `Bearer ${access}` };
  equal((await fetch(`${company}/companyinfo/${intuit.realm}`, { headers })).status, 401);
});

await check("intuit-oauth parses the faults of the API", async () => {
  const client = await connected();
  const ask = () => client.makeApiCall({ url: `${company}/cdc?entities=Bill&changedSince=${hourAgo}` });
  const answer = await ask();
  deepEqual(Object.keys(answer.json.CDCResponse[0]), ["QueryResponse"]);
  const table = [
    [{ fault: "lapsed" }, "6190"],
    [{ fault: "too-old" }, "500"],
    [{ fault: "throttled", shape: "xml-429" }, "RATE_LIMIT_EXCEEDED"],
    [{ fault: "status", status: 500 }, "INTERNAL_SERVER_ERROR"],
    [{ fault: "forbidden" }, "403"],
  ];
  for (const [rule, code] of table) {
    await intuit.breakBy({ ...rule, call: "capture", times: 1 });
    await rejects(ask(), (error) => {
      equal(error.code, code);
      match(error.intuitTid ?? error.intuit_tid ?? "", /^1-/);
      return true;
    });
  }
});

QuickBooks.V3_ENDPOINT_BASE_URL = `${intuit.base}/v3/company/`;
QuickBooks.TOKEN_URL = endpoints.tokenEndpoint;
QuickBooks.REVOKE_URL = endpoints.revokeEndpoint;

/** A node-quickbooks client whose calls are promises. */
async function quickbooks() {
  const { access_token, refresh_token } = (await connected()).getToken();
  const qb = new QuickBooks(CLIENT, SECRET, access_token, false, intuit.realm, false, false, 75, "2.0", refresh_token);
  const calls = new Map();
  const call = (name, ...args) => {
    if (!calls.has(name)) calls.set(name, promisify(qb[name].bind(qb)));
    return calls.get(name)(...args);
  };
  return { qb, call };
}

await check("node-quickbooks captures what is new and what is deleted", async () => {
  const { call } = await quickbooks();
  const kept = await intuit.change("create", "Estimate");
  const gone = await intuit.change("create", "Estimate");
  await intuit.change("delete", "Estimate", gone.id);
  const answer = await call("changeDataCapture", ["Estimate", "Bill"], hourAgo);
  const [estimates, bills] = answer.CDCResponse[0].QueryResponse;
  const found = estimates.Estimate.map(({ Id, status }) => [Id, status]);
  deepEqual(new Map(found), new Map([[kept.id, undefined], [gone.id, "Deleted"]]));
  deepEqual(bills, {});
});

await check("node-quickbooks is refused an offset whose plus sign it does not encode", async () => {
  const { call } = await quickbooks();
  const east = hourAgo.replace("Z", "+00:00");
  await rejects(call("changeDataCapture", "Estimate", east), (error) => {
    equal(error.response.data.Fault.Error[0].code, "2060");
    return true;
  });
});

await check("node-quickbooks is refused the lower-case names of its queries, and reads by id", async () => {
  const { call } = await quickbooks();
  // "Entity names are case-sensitive", Intuit's page on query syntax says.
  await rejects(call("findVendors", { count: true }), (error) => {
    equal(error.response.status, 400);
    return true;
  });
  equal((await call("getVendor", "3")).DisplayName, "Vendor 3");
  equal((await call("getCompanyInfo", intuit.realm)).CompanyName, "A simulated company");
});

await check("node-quickbooks is given faults as it expects them", async () => {
  const { call } = await quickbooks();
  await rejects(call("getInvoice", "999"), (error) => {
    equal(error.response.status, 400);
    equal(error.response.data.Fault.Error[0].code, "610");
    return true;
  });
  await intuit.breakBy({ fault: "unauthorized", times: 1 });
  await rejects(call("getInvoice", "1"), (error) => {
    equal(error.response.status, 401);
    equal(error.response.data.fault.error[0].code, "3200");
    return true;
  });
});

await check("node-quickbooks refreshes its tokens and gives them back", async () => {
  const { qb, call } = await quickbooks();
  const old = qb.refreshToken;
  await call("refreshAccessToken");
  notEqual(qb.refreshToken, old);
  equal((await call("getCompanyInfo", intuit.realm)).Id, "1");
  await call("revokeAccess", true);
  equal(qb.token, null);
});

await intuit.stop();
