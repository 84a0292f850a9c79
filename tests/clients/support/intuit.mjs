// The simulated Intuit of the real binary, run as an integrator runs it, on plain HTTP.

import { spawn } from "node:child_process";
import { eventually } from "./gateway.mjs";

export const CLIENT = "the-client";
export const SECRET = "the-secret";
export const BACK = "https://localhost:8443/oauth/callback";

export class Intuit {
  static async start(...args) {
    const intuit = new Intuit();
    const own = ["simulate", "--company", "--listen", "127.0.0.1:0", "--rate", "0"];
    const app = ["--client-id", CLIENT, "--client-secret", SECRET, "--redirect-uri", BACK];
    const all = [...own, ...app, "--consent", "at-once", ...args];
    intuit.process = spawn(process.env.QBO_RELAY, all, { stdio: ["ignore", "pipe", "inherit"] });
    intuit.ended = new Promise((resolve) => intuit.process.on("exit", resolve));
    // A script that fails must not leave it behind.
    process.on("exit", () => intuit.process.kill("SIGKILL"));
    let text = "";
    intuit.process.stdout.on("data", (part) => (text += part));
    await eventually("the simulated Intuit serves", () => text.includes("until Ctrl-C"));
    intuit.base = text.match(/Simulated Intuit at (\S+)/)[1];
    intuit.realm = text.match(/companies: (\d+)/)[1];
    return intuit;
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
  }

  async simulate(path, body) {
    const options = { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${this.base}/simulate/${path}`, options);
    if (!answer.ok) throw new Error(await answer.text());
    return await answer.json();
  }

  /** Something happens in the company; what it was. */
  async change(operation, kind, id, others = {}) {
    const changes = [{ kind, operation, id, ...others }];
    return (await this.simulate("changes", { changes })).happened[0];
  }

  /** From now on this goes wrong; nothing, when there is no rule. */
  async breakBy(...rules) {
    await this.simulate("faults", { rules, limits: false });
  }
}
