#!/usr/bin/env bash
# `kiln up --target gcp` of a stack with every kind of infrastructure and an image, project and all, killed at ten seeded points: the next one goes on, nothing is there twice, and destroy takes all of it
. "$LIB"
. "$CLIENT/stack.sh"
export SPEECH_KEY=not-really-a-key GOOGLE_CLIENT_SECRET=nor-this
example
cp "$CLIENT/infrastructure.config.ts" stack/kiln.config.ts

# until_line N: `up`, killed at its line N after the plan. 0 when it was killed, 1 when it ended before.
until_line() {
  local left=$1 pid status=1 planned=0
  mkfifo out
  "$KILN" up --stack stack --target gcp --yes >out 2>&1 &
  pid=$!
  # read to the end whatever happens, or the writer would stop
  while IFS= read -r line; do
    echo "$line" >>up.log
    case $line in [0-9]*' to '*) planned=1 ;; esac
    [ "$planned" = 0 ] || left=$((left - 1))
    [ "$left" != 0 ] || {
      status=0
      left=-1
      kill -KILL "$pid"
    }
  done <out
  rm out
  wait "$pid" 2>/dev/null || [ "$status" = 0 ] || {
    tail -40 up.log >&2
    exit 1
  }
  return "$status"
}

killed=0
for n in 1 2 3 4 5 6 7 8 9 10; do
  draw
  echo "run $n, until line $((1 + drawn % 10)) after the plan" | tee -a up.log
  if until_line $((1 + drawn % 10)); then killed=$((killed + 1)); else break; fi
done
echo "killed $killed times"
[ "$killed" -ge 5 ] || { echo 'it was done before it was killed often enough' >&2; exit 1; }
made=$(on_google up --yes --json)
contains 'what workflows sign in with' "$(field github.provider "$made")" /providers/actions
equal 'an up after it' "$(field changes "$(on_google up --yes --json)")" 0
equal 'images' "$(named global/images | sed 's/-[0-9a-f]*$//' | tr '\n' ' ')" 'python3 '
equal 'values of the secret' "$(api GET "https://secretmanager.googleapis.com/v1/projects/$PROJECT/secrets/speech-key/versions" | grep -c '"state": "ENABLED"')" 1
equal 'what is not as it should be' "$("$NODE" -e 'console.log(JSON.parse(process.argv[1]).resources.filter((row) => row.state !== "ok").map((row) => row.address).join(" "))' "$(on_google status --json)")" ''
on_google destroy --yes >/dev/null
equal 'the project, which Kiln made' "$(api GET "https://cloudresourcemanager.googleapis.com/v1/projects/$PROJECT" | grep -c DELETE_REQUESTED)" 1
