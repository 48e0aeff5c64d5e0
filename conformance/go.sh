# Sourced by the client.sh of clients that are built from Go modules.
# build_go TARGET {MODULE VERSION PACKAGE OUTPUT}…: builds these programs and puts them into the folder TARGET; does nothing when it is there.
# Nothing stays but the programs. Where no module can be had, says so and ends with 77.
build_go() {
  local target=$1 work
  shift
  [ -d "$target" ] && return 0
  command -v go >/dev/null || { echo 'Go is not installed here'; exit 77; }
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "chmod -R u+w '$work'; rm -rf '$work'" EXIT
  mkdir "$work/bin"
  while [ $# -gt 0 ]; do
    build_go_module "$work" "$1" "$2" "$3" "$4" >>"$work/log" 2>&1
    case $? in
      0) ;;
      1) tail -3 "$work/log"; echo 'the Go module proxy is not reachable here'; exit 77 ;;
      *) tail -40 "$work/log"; exit 1 ;;
    esac
    shift 4
  done
  mv "$work/bin" "$target" || exit 1
}

# From a writable copy of the module, since `go install MODULE@VERSION` refuses modules with `replace`.
# GOFLAGS: a build without a version control folder, a module cache that can be removed.
build_go_module() (
  export GOPATH=$1/go GOCACHE=$1/cache GOFLAGS='-mod=mod -modcacherw -buildvcs=false' GOWORK=off
  unset GOMODCACHE GOBIN
  cd "$1" && go mod download "$2@v$3" || exit 1
  source=$(go mod download -json "$2@v$3" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  cp -r "$source" "$1/$5" && chmod -R u+w "$1/$5" && cd "$1/$5" || exit 2
  CGO_ENABLED=0 nice -n 19 go build -trimpath -ldflags '-s -w' -o "$1/bin/$5" "$4" || exit 2
)
