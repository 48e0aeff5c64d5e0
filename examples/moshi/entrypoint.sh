#!/bin/sh
# Started by systemd inside the image as the user moshi. KILN_VENV and PORT come from the unit that Kiln writes.
set -eu
exec "${KILN_VENV:?is set by the systemd unit}/bin/python" -m waitress \
  --host=0.0.0.0 --port="${PORT:-8080}" --threads=4 --max-request-body-size=65536 --ident=moshi \
  moshi_server.app:app
