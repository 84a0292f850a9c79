"""Intuit's part: `qbo-relay simulate` on the host, and its ledger of what was acknowledged."""

import json
import subprocess
import time


class Load:
    """Posts to the gateway from construction on, until all are sent or `stop`."""

    seed = int(time.time())

    def __init__(self, keys, port, count, connections=4, rate=None, retries=0):
        Load.seed += 1
        self.ledger = keys.folder / f"ledger-{Load.seed}"
        words = [
            keys.binary, "simulate", f"https://localhost:{port}/qbowebhook",
            "--token-file", keys.folder / "verifier", "--ca-file", keys.folder / "ca.pem",
            "--count", count, "--connections", connections, "--realms", 5, "--seed", Load.seed,
            "--ledger", self.ledger, "--retries", retries, "--hurry", 10,
        ]  # fmt: skip
        if rate:
            words += ["--rate", rate]
        self.process = subprocess.Popen(
            [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(self, patience=300):
        """Waits for the end; its report, and whether every answer was the expected one."""
        report, _ = self.process.communicate(timeout=patience)
        return report, self.process.returncode == 0

    def stop(self):
        self.process.kill()
        self.process.communicate()

    def acknowledged(self):
        """The ids of the notifications that were answered with 200."""
        if not self.ledger.exists():
            return []
        lines = self.ledger.read_text().split("\n")
        # The last line of a killed sender may be half a line.
        return [event["id"] for line in lines[:-1] for event in json.loads(line)]
