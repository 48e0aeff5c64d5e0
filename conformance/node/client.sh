#!/usr/bin/env bash
# Google's client libraries for Node: Storage (REST), Secret Manager and Artifact Registry (gRPC), google-auth-library
# from: npm
set -e
here=$ROOT/conformance/node
target=$TOOLS/node
mkdir -p "$target"
cmp -s "$here/package.json" "$target/package.json" && [ -f "$target/complete" ] || {
  rm -rf "$target/complete" "$target/node_modules"
  cp "$here/package.json" "$target/"
  (cd "$target" && npm install --no-audit --no-fund --loglevel=error --ignore-scripts >&2) || { echo "npm's registry is not reachable here"; exit 77; }
  touch "$target/complete"
}
"$NODE" -e 'const d = require(process.argv[1]).dependencies; console.log(Object.entries(d).map(([n, v]) => `${n} ${v}`).join(", "))' "$target/package.json"
