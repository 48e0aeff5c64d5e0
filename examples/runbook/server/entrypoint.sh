#!/bin/sh
exec /opt/venv/bin/python -m moshi_server
