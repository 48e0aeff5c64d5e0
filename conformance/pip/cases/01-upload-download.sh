#!/usr/bin/env bash
# twine uploads, pip installs; the same file again is no harm, other bytes for the same file are refused
. "$LIB"
. "$CLIENT/index.sh"
repository
file=$(wheel moshi-server 0.1.0)
upload "$file"
upload "$file"
other=$(wheel moshi-server 0.1.0 'answer = 43')
refused 40 upload "$other"
/usr/bin/python3 -m pip install --quiet --target site --index-url "$(index_as oauth2accesstoken "$(owner_token)")" moshi-server==0.1.0
equal 'the module' "$(PYTHONPATH=site /usr/bin/python3 -c 'import moshi_server; print(moshi_server.answer)')" 42
/usr/bin/python3 -m pip download --quiet --dest got --index-url "$(index_as oauth2accesstoken "$(owner_token)")" Moshi.Server
cmp "$file" "got/$(basename "$file")"
