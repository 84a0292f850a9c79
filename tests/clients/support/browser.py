"""A real browser, driven over the pipe of its own debugging protocol (Chromium, headless)."""

import json
import os
import shutil
import subprocess
import tempfile
import threading

from gateway import PATIENCE, eventually


class Browser:
    """`with Browser({"localhost:8443": "127.0.0.1:40123"}) as browser`: names, and where they really are.

    Certificates are not judged: whether they are good is not what a page depends on.
    """

    def __init__(self, places):
        self.rules = ", ".join(f"MAP {name} {place}" for name, place in places.items())

    def __enter__(self):
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            raise AssertionError("chromium is not installed")
        self.folder = tempfile.mkdtemp(prefix="qbo-relay-browser-")
        # The browser reads commands from descriptor 3, and writes to 4.
        command_read, self.commands = os.pipe()
        answers, answer_write = os.pipe()

        def descriptors():
            # Moved out of the way first: they may be 3 or 4 themselves.
            reading, writing = os.dup(command_read), os.dup(answer_write)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--ignore-certificate-errors",
                f"--host-resolver-rules={self.rules}", f"--user-data-dir={self.folder}",
                "--remote-debugging-pipe", "about:blank",
            ],
            close_fds=False, preexec_fn=descriptors, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(answer_write)
        self.answers, self.number = {}, 0
        self.reader = threading.Thread(target=self._read, args=[answers], daemon=True)
        self.reader.start()
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        return self

    def _read(self, descriptor):
        with os.fdopen(descriptor, "rb") as stream:
            rest = b""
            while piece := stream.read1(65536):
                *messages, rest = (rest + piece).split(b"\0")
                for message in map(json.loads, messages):
                    if "id" in message:
                        self.answers[message["id"]] = message

    def call(self, method, **parameters):
        """One command of the protocol, and its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        eventually(f"an answer to {method}", lambda: self.number in self.answers)
        answer = self.answers.pop(self.number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def run(self, script):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    def open(self, url):
        self.call("Page.navigate", url=url)

    def text(self):
        return self.run("document.body ? document.body.innerText : ''") or ""

    def shows(self, words):
        """Waits for a page with these words; its text."""
        until = [""]

        def shown():
            until[0] = self.text()
            return words in until[0]

        try:
            eventually(words, shown)
        except AssertionError:
            raise AssertionError(f"no {words!r} at {self.run('location.href')}: {until[0]!r}") from None
        return until[0]

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        os.close(self.commands)
        self.reader.join(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)
