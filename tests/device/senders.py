"""Senders with patience: `simulate` gives an answer 3 seconds, as Intuit does, and an emulated board needs
longer to start a process. What is looked for here is whether a connection is ever refused or broken.
"""

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import threading
import time
import uuid

SENDERS = 4
POSTS_A_CONNECTION = 5
# Between two posts: an emulated processor that does nothing but handshakes would not get to the rest.
PAUSE = 0.2
PATIENCE = 60


class Senders:
    """Post from construction to `finish`, a few times on each connection."""

    def __init__(self, bench, port):
        self.port = port
        self.token = (bench.folder / "verifier").read_bytes()
        self.trust = ssl.create_default_context(cafile=bench.folder / "ca.pem")
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.acknowledged, self.broken, self.longest = [], [], 0.0
        self.threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def finish(self):
        """The acknowledged ids, the longest wait in seconds, and what went wrong."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        return self.acknowledged, self.longest, self.broken

    def _send(self, number):
        while not self.stopping.is_set():
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=PATIENCE, context=self.trust)
            for _ in range(POSTS_A_CONNECTION):
                if not self._post(connection, number):
                    break
                self.stopping.wait(PAUSE)
            connection.close()

    def _post(self, connection, number):
        told, body = notification(number)
        signature = base64.b64encode(hmac.digest(self.token, body, hashlib.sha256)).decode()
        headers = {"content-type": "application/json", "intuit-signature": signature}
        began = time.monotonic()
        try:
            connection.request("POST", "/qbowebhook", body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            answer = error
        with self.lock:
            self.longest = max(self.longest, time.monotonic() - began)
            if getattr(answer, "status", None) == 200:
                self.acknowledged.append(told)
            else:
                took = time.monotonic() - began
                self.broken.append(f"{getattr(answer, 'status', answer)!r} after {took:.1f} s")
        # The relay says when a connection is not to be used again.
        return getattr(answer, "status", None) == 200 and not answer.will_close


def notification(number):
    """An event as Intuit sends it, with an id of its own."""
    told = str(uuid.uuid4())
    event = {
        "specversion": "1.0",
        "id": told,
        "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
        "type": "qbo.customer.updated.v1",
        "datacontenttype": "application/json",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "intuitentityid": str(number),
        "intuitaccountid": "310687",
        "data": {},
    }
    return told, json.dumps([event]).encode()
