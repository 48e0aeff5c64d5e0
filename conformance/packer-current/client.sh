#!/usr/bin/env bash
# Current Packer with the googlecompute plugin, built from their Go modules
# from: go
. "$(dirname "$0")/versions.sh"
bin=$(dirname "$PACKER")
command -v curl >/dev/null || { echo 'curl is not installed here'; exit 77; }

# build MODULE VERSION OUTPUT: from a writable copy of the module, since `go install MODULE@VERSION` refuses modules with `replace`.
build() {
  local source
  go mod download "$1@v$2" || return 1
  source=$(go mod download -json "$1@v$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  cp -r "$source" "$work/$3" && chmod -R u+w "$work/$3"
  (cd "$work/$3" && CGO_ENABLED=0 nice -n 19 go build -trimpath -ldflags '-s -w' -o "$work/bin/$3" .) || return 2
}

if [ ! -x "$bin/packer" ]; then
  command -v go >/dev/null || { echo 'Go is not installed here'; exit 77; }
  work=$(mktemp -d)
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  # Nothing stays but the two programs. GOFLAGS: a build without a version control folder, a module cache that can be removed.
  export GOPATH=$work/go GOCACHE=$work/cache GOFLAGS='-mod=mod -modcacherw -buildvcs=false' GOWORK=off
  unset GOMODCACHE GOBIN
  mkdir "$work/bin"
  cd "$work" || exit 1
  build github.com/hashicorp/packer "$PACKER_VERSION" packer >"$work/log" 2>&1 &&
    build github.com/hashicorp/packer-plugin-googlecompute "$PLUGIN_VERSION" packer-plugin-googlecompute >>"$work/log" 2>&1
  case $? in
    0) ;;
    1) tail -3 "$work/log"; echo 'the Go module proxy is not reachable here'; exit 77 ;;
    *) tail -40 "$work/log"; exit 1 ;;
  esac
  rm -rf "$bin" && mv "$work/bin" "$bin" || exit 1
fi
echo "Packer $("$bin/packer" version | sed -n 's/^Packer v//p'), googlecompute plugin $PLUGIN_VERSION"
