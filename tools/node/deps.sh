#!/bin/sh
# Brings node_modules in line with package-lock.json. $1: the Node to use. Quiet and instant when nothing changed.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
stamp="$here/node_modules/.kiln-lock"
if [ -f "$stamp" ] && cmp -s "$stamp" "$here/package-lock.json"; then exit 0; fi
command -v npm >/dev/null || { echo "kiln: npm is not on PATH; it is needed once, to install this checkout's dependencies (apt-get install npm)." >&2; exit 1; }
echo "kiln: installing npm dependencies (once per lock file)" >&2
cd "$here"
# Not `npm ci`: it refuses a lock file without the optional packages of platforms that are not ours. The versions are the lock file's all the same.
PATH="$(dirname -- "$1"):$PATH" npm install --no-save --no-audit --no-fund --loglevel=error >&2 || { echo "kiln: npm install failed; see its message above." >&2; exit 1; }
cp package-lock.json "$stamp"
