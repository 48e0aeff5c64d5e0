"""`python3 -m moshi_server`: the server on this machine alone, for development, without waitress."""

import os
from wsgiref.simple_server import make_server

from moshi_server.app import make_app

with make_server("127.0.0.1", int(os.environ.get("PORT", "8080")), make_app(os.environ.get("MOSHI_STATE_DIR", "./state"))) as server:
    print("http://%s:%d/healthz" % server.server_address, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
