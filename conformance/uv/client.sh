#!/usr/bin/env bash
# uv, and keyrings.google-artifactregistry-auth with pip and twine
# from: pypi
python=/usr/bin/python3
[ -x "$TOOLS/python-tools/bin/uv" ] || {
  "$python" -m venv "$TOOLS/python-tools" >/dev/null 2>&1 && "$TOOLS/python-tools/bin/pip" install --quiet --disable-pip-version-check uv keyring keyrings.google-artifactregistry-auth twine setuptools wheel >/dev/null 2>&1
} || { rm -rf "$TOOLS/python-tools"; echo 'PyPI is not reachable here'; exit 77; }
echo "$("$TOOLS/python-tools/bin/uv" --version | cut -d' ' -f1-2), keyrings.google-artifactregistry-auth $("$TOOLS/python-tools/bin/pip" show keyrings.google-artifactregistry-auth 2>/dev/null | sed -n 's/^Version: //p'), pip $("$TOOLS/python-tools/bin/pip" --version | cut -d' ' -f2)"
