"""The pages in a real browser: the button that connects a company, and what other sites cannot do."""

import http.server
import json
import threading
from urllib.parse import urlsplit

from browser import Browser
from gateway import Gateway, check, equal, eventually, qbo_relay
from intuit import BACK, CLIENT, SECRET, Intuit

JUNK = "eventNotifications=[{realmId:7,dataChangeEvent:{entities:[{name:Bill,id:9,operation:Delete}]}}]"


class Site:
    """Another site: one page, with this in it."""

    def __init__(self, page):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = page.encode() if self.path == "/" else b""
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


def tables(intuit):
    return f"""
[[app]]
name = "books"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
redirect_uri = "{BACK}"
ca_file = "{intuit.ca_file}"
{intuit.addresses}
[[source]]
name = "office"
path = "/from-the-office"
predefined_routes = true
addresses = ["127.0.0.0/8"]
"""


with Intuit() as intuit, Gateway(tables(intuit)) as gateway:
    public = urlsplit(gateway.url)
    places = {urlsplit(BACK).netloc: f"127.0.0.1:{public.port}"}

    def companies():
        told = qbo_relay("company", "list", "--json", "--config", gateway.config)
        return [company["standing"] for company in json.loads(told.stdout)["companies"]]

    with Browser(places) as browser:

        @check("the page's own button connects a company, which then waits for approval")
        def _():
            browser.open(f"{gateway.admin}/companies")
            browser.shows("None is connected")
            browser.run("document.querySelector('form button').click()")
            browser.shows("Go to Intuit")
            equal(browser.run("document.querySelector('a').href").split("?")[0], BACK)
            browser.run("document.querySelector('a').click()")
            text = browser.shows("is connected")
            assert f"qbo-relay company approve {intuit.realm}" in text, text
            equal(companies(), ["awaits approval"])

        @check("a reload of the page that the browser came back to shows the same page")
        def _():
            before = browser.text()
            browser.run("window.before = true")
            browser.call("Page.reload")
            browser.shows("is connected")
            eventually("the page is a new one", lambda: not browser.run("window.before === true"))
            equal(browser.shows("is connected"), before)

        @check("a form on another site's page begins nothing")
        def _():
            site = Site(
                f"<form method=post action='{gateway.admin}/companies/connect?app=books'></form>"
                "<script>document.forms[0].submit()</script>"
            )
            browser.open(site.url)
            browser.shows("another site's page asked for this")

        @check("images, scripts and requests of another site deliver nothing by the browser's address")
        def _():
            there = f"{gateway.url}/api/QboWebhooksRequest"
            site = Site(
                f"""<title>busy</title><img src="{there}?{JUNK}"><script src="{there}?{JUNK}&callback=f"></script>
                <script>
                const sent = [];
                for (const path of ["/from-the-office", "/api/QboWebhooksRequest"]) {{
                  const body = new URLSearchParams({json.dumps(JUNK)});
                  sent.push(fetch("{gateway.url}" + path, {{ method: "POST", mode: "no-cors", body }}));
                }}
                addEventListener("load", () => Promise.allSettled(sent).then(() => {{ document.title = "done"; }}));
                </script>"""
            )
            before = len(gateway.journal())
            browser.open(site.url)
            eventually("everything was sent", lambda: browser.run("document.title") == "done")
            equal(len(gateway.journal()), before)
            refused = gateway.log().count("sent by another site's page, with no credential")
            assert refused >= 4, gateway.log()
