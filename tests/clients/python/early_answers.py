"""Answers that come before the request has ended: over HTTP/2 the status reaches curl and httpx."""

import json
import ssl
import subprocess

import httpx
from gateway import CA_FILE, Gateway, check, equal

SMALL, LARGE = 2_000, 5 << 20

with Gateway() as gateway:
    context = ssl.create_default_context(cafile=CA_FILE)

    def curl(path, *arguments, body=None):
        """The status that curl shows, and its exit status."""
        words = ["curl", "--silent", "--http2", "--cacert", CA_FILE, "--max-time", "30"]
        words += ["--output", "/dev/null", "--write-out", "%{json}", *arguments, gateway.url + path]
        done = subprocess.run(words, input=body, capture_output=True)
        said = json.loads(done.stdout)
        equal(said["http_version"], "2")
        return said["http_code"], done.returncode

    def posted(path, size, *arguments):
        return curl(path, "--data-binary", "@-", *arguments, body=b" " * size)

    @check("curl shows 404, 403 and 413 to bodies that are not looked at")
    def _():
        equal(posted("/nowhere", SMALL), (404, 0))
        equal(posted("/nowhere", LARGE), (404, 0))
        equal(posted("/qbowebhook", SMALL), (403, 0))
        equal(posted("/qbowebhook", LARGE), (413, 0))

    @check("curl shows 405 to another method with a body")
    def _():
        equal(posted("/qbowebhook", SMALL, "--request", "PUT"), (405, 0))

    @check("curl sees the end of an answer to HEAD")
    def _():
        equal(curl("/qbowebhook", "--head"), (405, 0))
        equal(curl("/nowhere", "--head"), (404, 0))

    @check("httpx gets the status of each, too, and may go on with its connection")
    def _():
        with httpx.Client(http2=True, verify=context, timeout=30, base_url=gateway.url) as client:
            for _ in range(3):
                answer = client.post("/nowhere", content=b" " * SMALL)
                equal((answer.status_code, answer.http_version), (404, "HTTP/2"))
                equal(client.put("/qbowebhook", content=b" " * SMALL).status_code, 405)
                equal(client.post("/qbowebhook", content=b" " * SMALL).status_code, 403)
                equal(client.head("/qbowebhook").status_code, 405)
            equal(client.post("/qbowebhook", content=b" " * LARGE).status_code, 413)
        with httpx.Client(http2=True, verify=context, timeout=30, base_url=gateway.url) as client:
            equal(client.post("/nowhere", content=b" " * LARGE).status_code, 404)
