#!/usr/bin/env bash
# `kiln up --target gcp` of a stack with every kind of infrastructure and an image, project and all, killed at ten seeded points: the next one goes on, nothing is there twice, and destroy takes all of it
. "$LIB"
. "$CLIENT/stack.sh"
export SPEECH_KEY=not-really-a-key GOOGLE_CLIENT_SECRET=nor-this
example
cp "$CLIENT/infrastructure.config.ts" stack/kiln.config.ts

# after_plan LINE: the plan was shown, and `left` lines came after it.
after_plan() {
  case $1 in [0-9]*' to '*) planned=1 ;; esac
  [ "$planned" = 1 ] || return 1
  left=$((left - 1))
  [ "$left" = 0 ]
}

killed=0
for n in 1 2 3 4 5 6 7 8 9 10; do
  draw
  planned=0 left=$((1 + drawn % 10))
  echo "run $n, until line $left after the plan" | tee -a up.log
  if killed_when after_plan up.log "$KILN" up --stack stack --target gcp --yes; then killed=$((killed + 1)); else break; fi
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
