// The real relay, run as its user runs it, and what a check needs around it.

import { execFile, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const PATIENCE_MS = 30_000;
const BINARY = process.env.QBO_RELAY;
const TLS = process.env.CLIENTS_TLS;
export const CA_FILE = `${TLS}/ca.pem`;
export const TOKEN = "d691402a-9b97-4836-9989-938628cc2927";

/** Runs `body`, and prints whether the sentence is true. */
export async function check(sentence, body) {
  try {
    await body();
    console.log(`ok   ${sentence}`);
  } catch (problem) {
    const why = problem?.message ?? JSON.stringify(problem);
    console.log(`FAIL ${sentence}: ${String(why).replaceAll("\n", " ")}`);
  }
}

/** Waits until `ready` gives something true. */
export async function eventually(what, ready) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await ready();
    if (found) return found;
    if (Date.now() > until) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Runs a command of the binary to its end. */
export async function qboRelay(...args) {
  const options = { timeout: 120_000, maxBuffer: 1 << 28 };
  return await promisify(execFile)(BINARY, args, options).catch((failed) => failed);
}

/** A relay with these further tables in its configuration, and these files beside it. */
export class Gateway {
  static async start(tables = "", files = {}) {
    const gateway = new Gateway();
    gateway.folder = mkdtempSync(join(tmpdir(), "qbo-relay-clients-"));
    gateway.config = join(gateway.folder, "qbo-relay.toml");
    const config = `[listen]
https = "127.0.0.1:0"
[tls]
certificate = "${TLS}/certificate.pem"
key = "${TLS}/key.pem"
[[verifier]]
name = "test"
token_file = "verifier"
[journal]
path = "state/journal.db"
[admin]
listen = "127.0.0.1:0"
${tables}
`;
    const everything = { "qbo-relay.toml": config, verifier: TOKEN, ...files };
    for (const [name, text] of Object.entries(everything)) {
      writeFileSync(join(gateway.folder, name), text, { mode: 0o600 });
    }
    const log = openSync(join(gateway.folder, "log"), "w");
    gateway.process = spawn(BINARY, ["run", "--config", gateway.config], {
      stdio: ["ignore", "ignore", log],
    });
    gateway.ended = new Promise((resolve) => gateway.process.on("exit", resolve));
    closeSync(log);
    // A script that fails must not leave a relay behind, nor its folder.
    process.on("exit", () => {
      gateway.process.kill("SIGKILL");
      rmSync(gateway.folder, { recursive: true, force: true });
    });
    const [, https, admin] = await eventually("the relay serves", () => {
      const text = readFileSync(join(gateway.folder, "log"), "utf8");
      if (gateway.process.exitCode !== null) throw new Error(`the relay ended:\n${text}`);
      return text.match(/serving https=(\S+) admin=(\S+)/);
    });
    gateway.url = `https://${https.replace("127.0.0.1", "localhost")}`;
    gateway.admin = `http://${admin}`;
    return gateway;
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
    rmSync(this.folder, { recursive: true });
  }

  /** Acts as Intuit towards this relay. */
  async simulate(...args) {
    const token = join(this.folder, "verifier");
    const url = `${this.url}/qbowebhook`;
    return await qboRelay("simulate", url, "--ca-file", CA_FILE, "--token-file", token, ...args);
  }

  /** What the journal holds: one object a receipt, oldest first, the body in it. */
  async journal() {
    const { stdout } = await qboRelay("journal", "export", "--config", this.config);
    return stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }
}

/** An HTTPS server that keeps what is posted to it; `answer(request)` gives the status. */
export class Receiver {
  requests = [];

  static async start(answer = () => 204) {
    const receiver = new Receiver();
    const tls = {
      cert: readFileSync(`${TLS}/certificate.pem`),
      key: readFileSync(`${TLS}/key.pem`),
    };
    receiver.server = createServer(tls, async (incoming, response) => {
      const parts = [];
      for await (const part of incoming) parts.push(part);
      const body = Buffer.concat(parts).toString("utf8");
      const request = { path: incoming.url, headers: incoming.headers, body };
      response.writeHead(await answer(request)).end();
      receiver.requests.push(request);
    });
    await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
    receiver.url = `https://127.0.0.1:${receiver.server.address().port}`;
    return receiver;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** The requests to `path`, when there are so many. */
  async waitFor(count, path = "") {
    const found = () => this.requests.filter((request) => request.path.startsWith(path));
    await eventually(`${count} requests to ${path}`, () => found().length >= count);
    return found();
  }
}
