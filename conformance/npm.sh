# Sourced by the client.sh of clients from npm: installs what FOLDER/package-lock.json says into $TOOLS/NAME, once per lock.
# install_npm FOLDER NAME: prints the packages with their versions.
install_npm() {
  local here=$1 target=$TOOLS/$2
  mkdir -p "$target"
  cmp -s "$here/package-lock.json" "$target/package-lock.json" && [ -f "$target/complete" ] || {
    rm -rf "$target/complete" "$target/node_modules"
    cp "$here/package.json" "$here/package-lock.json" "$target/"
    (cd "$target" && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts >&2) || {
      # What npm ping cannot reach, npm ci cannot either; anything else is a defect of the lock, and must be seen.
      (cd "$target" && npm ping >/dev/null 2>&1) && return 1
      echo "npm's registry is not reachable here"
      exit 77
    }
    touch "$target/complete"
  }
  "$NODE" -e 'const d = require(process.argv[1]).dependencies; console.log(Object.entries(d).map(([n, v]) => `${n} ${v}`).join(", "))' "$target/package.json"
}
