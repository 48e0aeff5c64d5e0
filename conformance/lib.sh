# Sourced by every case: `. "$LIB"`. A case ends at the first command that fails; what it shows is its exit code.
set -Eeuo pipefail
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2' ERR
export REGION=us-central1 ZONE=us-central1-c CLOUDSDK_CORE_DISABLE_PROMPTS=1

# skip REASON: this case cannot run on this machine.
skip() {
  echo "$*"
  exit 77
}

# equal WHAT GOT WANTED
equal() {
  [ "$2" = "$3" ] || {
    printf '%s: got\n%s\nwanted\n%s\n' "$1" "$2" "$3" >&2
    exit 1
  }
}

# contains WHAT TEXT PART
contains() {
  case $2 in
    *"$3"*) ;;
    *)
      printf '%s: there is no %s in\n%s\n' "$1" "$3" "$2" >&2
      exit 1
      ;;
  esac
}

# refused PART COMMAND...: the command fails and says PART.
refused() {
  local part=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'should have been refused: %s\n%s\n' "$*" "$output" >&2
    exit 1
  fi
  contains "refusal of $*" "$output" "$part"
}

# api METHOD URL [JSON]: a call of a Google API by curl, as whoever runs the case.
api() {
  local method=$1 url=$2 answer
  shift 2
  answer=$(curl -sS --fail-with-body -X "$method" -H "Authorization: Bearer $(owner_token)" -H 'Content-Type: application/json' ${1:+--data "$1"} "$url") || {
    printf '%s %s: %s\n' "$method" "$url" "$answer" >&2
    return 1
  }
  printf '%s\n' "$answer"
}

# One token for the whole case: each start of the command line takes a moment.
OWNER_TOKEN=${OWNER_TOKEN:-$("$KILN" cloud token)}
export OWNER_TOKEN
owner_token() { echo "$OWNER_TOKEN"; }

# project SERVICE...: a project of this case's own, with these services.
project() {
  api POST https://cloudresourcemanager.googleapis.com/v1/projects "{\"projectId\":\"$PROJECT\",\"name\":\"$PROJECT\"}" >/dev/null
  wait_for "project $PROJECT" api GET "https://cloudresourcemanager.googleapis.com/v1/projects/$PROJECT" >/dev/null
  local list
  list=$(printf '"%s",' "$@")
  api POST "https://serviceusage.googleapis.com/v1/projects/$PROJECT/services:batchEnable" "{\"serviceIds\":[${list%,}]}" >/dev/null
  local service
  for service in "$@"; do
    wait_for "$service" bash -c ". \"\$LIB\"; trap - ERR; api GET https://serviceusage.googleapis.com/v1/projects/$PROJECT/services/$service | grep -q '\"ENABLED\"'"
  done
}

# wait_for WHAT COMMAND...: until it succeeds, at most fifteen minutes: machines without KVM boot slowly when the host is busy.
wait_for() {
  local what=$1 end=$((SECONDS + 900))
  shift
  until "$@" 2>/dev/null; do
    [ "$SECONDS" -lt "$end" ] || {
      echo "$what did not come" >&2
      exit 1
    }
    sleep 0.5
  done
}
