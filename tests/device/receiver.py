"""What the relay delivers to: an HTTP server on the host that can go down and come back."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Collects the notification ids of all events that it accepted."""

    def __init__(self, port=0):
        self.down = False
        self.refused = 0
        self.accepted = {}
        self.lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = 503 if receiver.down else 200
                if status == 200:
                    receiver.accept(json.loads(body))
                else:
                    receiver.refused += 1
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """Connections of a gateway without power break."""

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def accept(self, body):
        events = body if isinstance(body, list) else [body]
        with self.lock:
            for event in events:
                told = event["data"]["notificationId"]
                self.accepted.setdefault(told, []).append(event["id"])

    def missing(self, ids):
        """Those of these notifications that never came."""
        with self.lock:
            return [told for told in ids if told not in self.accepted]
