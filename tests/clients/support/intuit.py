"""The simulated Intuit of the real binary, run as an integrator runs it."""

import re
import shutil
import subprocess
import tempfile

import requests

from gateway import BINARY, PATIENCE, eventually

CLIENT, SECRET = "the-client", "the-secret"
BACK = "https://localhost:8443/oauth/callback"


class Intuit:
    """`with Intuit("--rotation", "each-time") as intuit`; serves HTTPS, because OAuth clients insist on it."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="qbo-relay-clients-")
        self.ca_file = f"{self.folder}/intuit.pem"
        self.log = open(f"{self.folder}/log", "w+")
        command = [BINARY, "simulate", "--company", "--listen", "127.0.0.1:0", "--rate", "0"]
        command += ["--client-id", CLIENT, "--client-secret", SECRET, "--redirect-uri", BACK]
        command += ["--consent", "at-once", "--certificate", self.ca_file, *self.arguments]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        text = eventually("the simulated Intuit serves", self._introduced)
        self.base = re.search(r"Simulated Intuit at (\S+)", text)[1]
        # As lines for the configuration of an app.
        self.addresses = "\n".join(re.findall(r"^\s*(\w+_url = \"[^\"]*\")", text, re.MULTILINE))
        self.realm = re.search(r"companies: (\d+)", text)[1]
        return self

    def _introduced(self):
        with open(f"{self.folder}/log") as log:
            text = log.read()
        if self.process.poll() is not None:
            raise AssertionError(f"it ended:\n{text}")
        return text if "until Ctrl-C" in text else None

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder)

    def _simulate(self, path, body):
        answer = requests.post(f"{self.base}/simulate/{path}", json=body, verify=self.ca_file)
        if answer.status_code != 200:
            raise AssertionError(answer.text)
        return answer.json()

    def change(self, operation, kind, id=None, **others):
        """Something happens in the company; what it was."""
        change = {"kind": kind, "operation": operation, "id": id, **others}
        return self._simulate("changes", {"changes": [change]})["happened"][0]

    def break_by(self, *rules):
        """From now on this goes wrong; nothing, when there is no rule."""
        self._simulate("faults", {"rules": rules, "limits": False})
