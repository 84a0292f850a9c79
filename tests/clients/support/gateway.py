"""The real relay, run as its user runs it, and what a check needs around it."""

import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
import time

PATIENCE = 30.0
BINARY = os.environ["QBO_RELAY"]
TLS = os.environ["CLIENTS_TLS"]
CA_FILE = f"{TLS}/ca.pem"
TOKEN = "d691402a-9b97-4836-9989-938628cc2927"


def check(sentence):
    """Runs the function below it, and prints whether the sentence is true."""

    def run(body):
        try:
            body()
        except Exception as problem:  # a check that fails in whatever way has failed
            # The line of the check itself: the first one below this.
            line = problem.__traceback__.tb_next.tb_lineno
            why = str(problem).replace("\n", " ")
            print(f"FAIL {sentence}: line {line}: {type(problem).__name__}: {why}", flush=True)
        else:
            print(f"ok   {sentence}", flush=True)

    return run


def equal(found, expected):
    """The one comparison, so that a failure shows both sides."""
    if found != expected:
        raise AssertionError(f"found {found!r}, expected {expected!r}")


def eventually(what, ready):
    """Waits until `ready` gives something true."""
    until = time.monotonic() + PATIENCE
    while not (found := ready()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {PATIENCE:.0f} s: {what}")
        time.sleep(0.01)
    return found


def qbo_relay(*arguments):
    """Runs a command of the binary to its end."""
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120)


class Gateway:
    """A relay with these further tables in its configuration; `with Gateway(...) as gateway`.

    A file that the tables name is written by `files`: name and text.
    """

    def __init__(self, tables="", files=(), listen=""):
        self.folder = tempfile.mkdtemp(prefix="qbo-relay-clients-")
        self.config = f"{self.folder}/qbo-relay.toml"
        self.token_file = f"{self.folder}/verifier"
        config = f"""[listen]
https = "127.0.0.1:0"
{listen}
[tls]
certificate = "{TLS}/certificate.pem"
key = "{TLS}/key.pem"
[[verifier]]
name = "test"
token_file = "verifier"
[journal]
path = "state/journal.db"
[admin]
listen = "127.0.0.1:0"
{tables}
"""
        everything = [("qbo-relay.toml", config), ("verifier", TOKEN), *files]
        for name, text in everything:
            with open(os.open(f"{self.folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(text)

    def __enter__(self):
        log = open(f"{self.folder}/log", "w+")
        self.process = subprocess.Popen(
            [BINARY, "run", "--config", self.config], stderr=log, stdin=subprocess.DEVNULL
        )
        serving = eventually("the relay serves", lambda: self._serving())
        self.url = f"https://{serving[1].replace('127.0.0.1', 'localhost')}"
        self.admin = f"http://{serving[2]}"
        return self

    def _serving(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the relay ended:\n{self.log()}")
        return re.search(r"serving https=(\S+) admin=(\S+)", self.log())

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder)

    def log(self):
        with open(f"{self.folder}/log") as log:
            return log.read()

    def simulate(self, *arguments, url=None):
        """Acts as Intuit towards this relay, or towards another address."""
        return simulate(url or f"{self.url}/qbowebhook", self.token_file, *arguments)

    def journal(self):
        """What the journal holds: one dictionary a receipt, oldest first, the body in it."""
        export = qbo_relay("journal", "export", "--config", self.config)
        equal(export.returncode, 0)
        return [json.loads(line) for line in export.stdout.splitlines()]


def simulate(url, token_file, *arguments):
    return qbo_relay(
        "simulate", url, "--ca-file", CA_FILE, "--token-file", token_file, *arguments
    )


class Request:
    """What a receiver was sent."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body

    def json(self):
        return json.loads(self.body)


class Receiver:
    """An HTTPS server that keeps what is posted to it; `answer(request)` gives the status."""

    def __init__(self, answer=lambda request: 204):
        self.requests = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path, headers, body)
                status = answer(request)
                receiver.requests.append(request)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{TLS}/certificate.pem", f"{TLS}/key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"https://127.0.0.1:{self.server.server_port}"

    def wait_for(self, count, path=""):
        """The requests to `path`, when there are so many; more are a fault."""
        requests = lambda: [request for request in self.requests if request.path.startswith(path)]
        eventually(f"{count} requests to {path}", lambda: len(requests()) >= count)
        equal(len(requests()), count)
        return requests()
