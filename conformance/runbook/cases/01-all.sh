#!/usr/bin/env bash
# Every step of the seed runbook from a new project to a VM that answers; a second run changes nothing; teardown leaves an empty project.
. "$LIB"
. "$ROOT/conformance/terraform/provider.sh"
cp -r "$ROOT/examples/runbook/." .
bash RUNBOOK | tee first.log
contains 'the server' "$(cat first.log)" '"status": "ok"'
before=$(gcloud compute images list --no-standard-images --format='value(name,id)'; gcloud compute instances list --format='value(name,id)')
bash RUNBOOK | tee second.log
equal 'images and VMs after the second run' "$(gcloud compute images list --no-standard-images --format='value(name,id)'; gcloud compute instances list --format='value(name,id)')" "$before"
equal 'changes of the second run' "$(grep -c '^Apply complete! Resources: 0 added, 0 changed, 0 destroyed' second.log)" 3
contains 'gcloud compute ssh' "$(gcloud compute ssh moshi-dev --zone "$ZONE" --quiet --command 'uname -a')" Linux
bash TEARDOWN | tee teardown.log
contains teardown "$(cat teardown.log)" 'is empty'
