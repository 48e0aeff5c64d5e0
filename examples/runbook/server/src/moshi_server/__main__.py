"""`python3 -m moshi_server`: /healthz and /version, by the standard library alone."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

PAGES = {"/healthz": {"status": "ok"}, "/version": {"version": version("moshi-server")}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        page = PAGES.get(self.path)
        body = json.dumps(page if page is not None else {"error": "not found"}).encode() + b"\n"
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
