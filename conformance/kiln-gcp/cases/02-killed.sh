#!/usr/bin/env bash
# `kiln up --target gcp` of the example, project and all, killed at ten seeded points: the next one goes on, it serves in the end, and nothing is there twice
. "$LIB"
. "$CLIENT/stack.sh"
example
: "${SEED:=20261127}"

# The next number of a small generator, 0 to 32767: the same points for the same seed.
draw() {
  SEED=$(((SEED * 1103515245 + 12345) % 2147483648))
  drawn=$((SEED / 65536))
}

# until_line N: `up` in a session of its own, killed at its line N. 0 when it was killed, 1 when it ended before.
until_line() {
  local lines=$1 pid status
  mkfifo out
  setsid "$KILN" up --stack stack --target gcp --yes >out 2>&1 &
  pid=$!
  status=1
  # the pipe is read to its end whatever happens, or the writer would stop
  while IFS= read -r line; do
    echo "$line" >>up.log
    lines=$((lines - 1))
    if [ "$lines" = 0 ]; then
      status=0
      kill -KILL "$pid"
    fi
  done <out
  rm out
  wait "$pid" 2>/dev/null || [ "$status" = 0 ] || { tail -40 up.log >&2; exit 1; }
  return "$status"
}

killed=0
for n in 1 2 3 4 5 6 7 8 9 10; do
  draw
  echo "== run $n, until line $((1 + drawn % 60))" | tee -a up.log
  if until_line $((1 + drawn % 60)); then killed=$((killed + 1)); else break; fi
done
echo "killed $killed times"
[ "$killed" -ge 5 ] || { echo "the points of this seed are too late" >&2; exit 1; }
made=$(on_google up --yes --json)
serves "$(field url "$made")" 0.1.0
equal 'an up after it' "$(field changes "$(on_google up --yes --json)")" 0
equal 'VMs' "$(named "zones/$ZONE/instances" | grep -c "^serve-$PROJECT-")" 2
equal 'images' "$(named global/images | sed 's/-[0-9a-f]*$//' | sort | tr '\n' ' ')" 'moshi-srv python3 '
equal 'releases that are live' "$(on_google releases --json | grep -o '"state":"live"' | wc -l)" 1
on_google destroy --yes >/dev/null
equal 'the project, which Kiln made' "$(api GET "https://cloudresourcemanager.googleapis.com/v1/projects/$PROJECT" | grep -c DELETE_REQUESTED)" 1
