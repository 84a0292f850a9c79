// Answers that come before the request has ended: over HTTP/2 the status reaches Node.

import { deepEqual } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { CA_FILE, Gateway, check } from "../support/gateway.mjs";

const gateway = await Gateway.start();

/** One request on a connection of its own: its status, and the code that its stream ended with. */
async function ask(method, path, size) {
  const session = connect(gateway.url, { ca: readFileSync(CA_FILE) });
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const head = { ":method": method, ":path": path, "content-length": size };
      const stream = session.request(head, { endStream: size === 0 });
      let status;
      stream.on("response", (head) => (status = head[":status"]));
      stream.on("error", reject);
      stream.on("close", () => resolve([status, stream.rstCode]));
      stream.resume();
      if (size > 0) stream.end(Buffer.alloc(size, " "));
    });
  } finally {
    session.destroy();
  }
}

for (const size of [2_000, 5 << 20]) {
  await check(`Node gets the status of an early answer to ${size} bytes, and no reset`, async () => {
    deepEqual(await ask("POST", "/nowhere", size), [404, 0]);
    deepEqual(await ask("PUT", "/qbowebhook", size), [405, 0]);
    deepEqual(await ask("POST", "/qbowebhook", size), [size > 4 << 20 ? 413 : 403, 0]);
  });
}

await check("Node sees the end of an answer to HEAD", async () => {
  deepEqual(await ask("HEAD", "/qbowebhook", 0), [405, 0]);
});

await gateway.stop();
