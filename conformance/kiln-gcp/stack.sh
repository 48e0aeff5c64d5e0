# Sourced by the cases: the example as a stack of this case's own, and what is asked of it.
. "$ROOT/conformance/terraform/provider.sh"

# example [SED...]: examples/moshi in ./stack, with this project's names, and further changes to its config.
example() {
  cp -r "$ROOT/examples/moshi" stack
  sed -i "s/'moshi-3'/'$PROJECT'/; s/'moshi-storage'/'$PROJECT-storage'/" stack/kiln.config.ts
  local change
  for change in "$@"; do sed -i "$change" stack/kiln.config.ts; done
}

# on_google VERB [ARGUMENTS]: a verb for Google Cloud on the stack; progress goes to a file of its name.
on_google() {
  local verb=$1
  shift
  "$KILN" "$verb" --stack stack --target gcp "$@" 2>>"$verb.log" || {
    local code=$?
    echo "kiln $verb --target gcp $* ended with $code" >&2
    tail -40 "$verb.log" >&2
    return "$code"
  }
}

# field PATH JSON: one value of a JSON object: `server.release`.
field() {
  "$NODE" -e 'const [, path, text] = process.argv; console.log(String(path.split(".").reduce((value, key) => value?.[key], JSON.parse(text))))' "$1" "$2"
}

# version N: the package's version in the stack's source.
version() { sed -i "s/^version = .*/version = \"$1\"/" stack/server/pyproject.toml; }

# draw: the next number of a small generator, 0 to 32767, as `drawn`: the same ones for the same SEED.
: "${SEED:=20261127}"
draw() {
  SEED=$(((SEED * 1103515245 + 12345) % 2147483648))
  drawn=$((SEED / 65536))
}

# killed_when DECIDE LOG COMMAND...: runs it, with its lines in LOG, and kills it when `DECIDE LINE` first succeeds. 0 when it was killed, 1 when it had ended well before; else the case ends.
killed_when() {
  local decide=$1 log=$2 pid line status=1
  shift 2
  mkfifo out
  "$@" >out 2>&1 &
  pid=$!
  # read to the end whatever happens, or the writer would stop
  while IFS= read -r line; do
    echo "$line" >>"$log"
    if [ "$status" = 1 ] && "$decide" "$line" && kill -KILL "$pid" 2>/dev/null; then status=0; fi
  done <out
  rm out
  wait "$pid" 2>/dev/null || [ "$status" = 0 ] || {
    tail -40 "$log" >&2
    exit 1
  }
  return "$status"
}

# serves URL VERSION: what answers there says that it is this version, ten times in a row.
serves() {
  local n
  for n in 1 2 3 4 5 6 7 8 9 10; do contains "answer $n of $1" "$(curl -sS --fail --max-time 20 "$1/version")" "\"$2\""; done
}

# named COLLECTION: the names of what there is of it in the project, without what every project has.
named() { api GET "https://compute.googleapis.com/compute/v1/projects/$PROJECT/$1" | sed -n 's/^ *"name": "\(.*\)",*$/\1/p' | grep -v '^default' || true; }

# nothing_left: all that the stack made is gone from the project.
nothing_left() {
  local what
  for what in global/firewalls global/addresses global/healthChecks global/backendServices global/urlMaps global/forwardingRules global/targetHttpProxies global/instanceTemplates global/images \
    "zones/$ZONE/instances" "zones/$ZONE/disks" "zones/$ZONE/instanceGroupManagers"; do
    equal "$what that are left" "$(named "$what")" ''
  done
  equal 'buckets that are left' "$(api GET "https://storage.googleapis.com/storage/v1/b?project=$PROJECT" | grep '"name":' || true)" ''
  equal 'repositories that are left' "$(api GET "https://artifactregistry.googleapis.com/v1/projects/$PROJECT/locations/$REGION/repositories" | grep '"name":' || true)" ''
  equal 'accounts that are left' "$(api GET "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts" | grep '"email":' | grep -v -- '-compute@developer' || true)" ''
}
