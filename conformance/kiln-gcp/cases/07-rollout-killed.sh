#!/usr/bin/env bash
# `deploy --target gcp` of a group of two, killed at three seeded moments of its rollout: the next one goes on, one release is live, and no request fails all the while
. "$LIB"
. "$CLIENT/stack.sh"
project serviceusage.googleapis.com cloudresourcemanager.googleapis.com iam.googleapis.com storage.googleapis.com compute.googleapis.com artifactregistry.googleapis.com
example
url=$(field url "$(on_google up --yes --json)")
serves "$url" 0.1.0

# Published and baked before, so that the kills meet the rollout.
version 0.2.0
on_google publish --yes >/dev/null
on_google bake --yes >/dev/null

# ask: about five requests a second until the file `enough` is there.
ask() {
  until [ -e enough ]; do
    curl -sS --fail --max-time 30 -o /dev/null "$url/version" 2>>failed.log
    echo >>asked.log
    sleep 0.2
  done
}
touch failed.log
ask &
asking=$!
trap 'touch enough' EXIT

# in_the_rollout LINE: the group began to roll, `delay` seconds ago.
in_the_rollout() {
  case $1 in *' is rolling'*) sleep "$delay" ;; *) return 1 ;; esac
}

killed=0
for n in 1 2 3; do
  draw
  delay=$((drawn % 20))
  echo "deploy $n, killed $delay s after its group began to roll" | tee -a deploy.log
  if killed_when in_the_rollout deploy.log "$KILN" deploy --stack stack --target gcp --yes --force --bake 2; then killed=$((killed + 1)); fi
  on_google deploy --yes --bake 2 >/dev/null
  serves "$url" 0.2.0
  equal 'releases that are live' "$(on_google releases --json | "$NODE" -e 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8")).releases.filter((row) => row.state === "live").length)')" 1
  equal 'VMs' "$(named "zones/$ZONE/instances" | grep -c "serve-$PROJECT-")" 2
done
[ "$killed" -ge 2 ] || { echo 'the rollouts were over before they were killed' >&2; exit 1; }

touch enough
wait "$asking"
echo "$(wc -l <asked.log) requests"
equal 'requests that failed' "$(cat failed.log)" ''
equal 'an up after it' "$(field changes "$(on_google up --yes --json)")" 0
on_google status --healthy >/dev/null
on_google destroy --yes >/dev/null
nothing_left
