#!/usr/bin/env bash
# The example with a group of two: up, nothing to change, Makefile's publish, bake and deploy of another version, the dev VM, rollback, status, destroy, nothing left
. "$LIB"
. "$CLIENT/stack.sh"
# The project is somebody else's: it stays, and shows what is left in it.
project serviceusage.googleapis.com cloudresourcemanager.googleapis.com iam.googleapis.com storage.googleapis.com compute.googleapis.com artifactregistry.googleapis.com
example

made=$(on_google up --yes --json)
url=$(field url "$made")
equal 'the first release' "$(field release "$made")" 1
contains 'what workflows sign in with' "$(field github.provider "$made") $(field github.serviceAccount "$made")" "/providers/actions github-deployer@$PROJECT."
serves "$url" 0.1.0
equal 'a second up' "$(field changes "$(on_google up --yes --json)")" 0
contains 'the VMs' "$(named "zones/$ZONE/instances" | tr '\n' ' ')" "serve-$PROJECT-"
equal 'the dev VM, which nobody asked for' "$(named "zones/$ZONE/instances" | grep -c moshi-dev || true)" 0

# As a workflow and a person call it.
version 0.2.0
verb() { make --no-print-directory -C stack TARGET=gcp "KILN=$KILN" "$@" >>make.log 2>&1 || { tail -40 make.log >&2; return 1; }; }
verb publish
verb bake
verb deploy
serves "$url" 0.2.0
verb healthcheck
seen=$(on_google status --json)
equal 'the release that serves' "$(field server.release "$seen")" 2
equal 'what is not as it should be' "$("$NODE" -e 'console.log(JSON.parse(process.argv[1]).resources.filter((row) => row.state !== "ok").map((row) => row.address).join(" "))' "$seen")" ''
equal 'an up after the deploy' "$(field changes "$(on_google up --yes --json)")" 0

# The dev VM comes when it is asked for, and stays as it is when the stack is brought up.
dev=$(on_google dev --yes --json)
serves "$(field url "$dev")" 0.2.0
equal 'an up beside the dev VM' "$(field changes "$(on_google up --yes --json)")" 0
contains 'its logs' "$(on_google logs)" 'moshi-srv['

back=$(on_google rollback --yes --json)
equal 'what was brought back' "$(field rollbackOf "$back")" 1
serves "$url" 0.1.0
on_google status --healthy >/dev/null
equal 'the ledger' "$(on_google releases --json | "$NODE" -e 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8")).releases.map((row) => `${row.number} ${row.state}`).join(", "))')" '3 live, 2 rolled-back, 1 superseded'
refused 'there is no release 9' "$KILN" rollback 9 --stack stack --target gcp --yes

# Two groups, so that destroy meets the second one too.
on_google deploy --yes --strategy blue-green --force >/dev/null
serves "$url" 0.2.0
equal 'an up after blue/green' "$(field changes "$(on_google up --yes --json)")" 0

on_google destroy --yes >/dev/null
nothing_left
