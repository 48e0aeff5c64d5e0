#!/bin/bash
# Runs in the VM that becomes the image: the server from the private index, with the token of the VM's own service account.
set -euo pipefail
TOKEN=$(curl -sf -H 'Metadata-Flavor: Google' http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
# By environment, so that the token is on no command line; as the one and only index.
export PIP_INDEX_URL="https://oauth2accesstoken:$TOKEN@$INDEX" PIP_DISABLE_PIP_VERSION_CHECK=1
sudo --preserve-env=PIP_INDEX_URL,PIP_DISABLE_PIP_VERSION_CHECK /opt/venv/bin/pip install --no-input "moshi-server==$VERSION"
sudo useradd --system --no-create-home moshi
sudo install -D -m 0755 /tmp/entrypoint.sh /opt/moshi/entrypoint.sh
sudo install -m 0644 /tmp/moshi-srv.service /etc/systemd/system/moshi-srv.service
sudo systemctl enable moshi-srv.service
