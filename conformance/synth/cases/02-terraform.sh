#!/usr/bin/env bash
# All components in one plan with the state in a bucket: apply, a second plan is empty, drift is seen and repaired, the deployer's template is left alone, imports take over, destroy leaves nothing
. "$LIB"
. "$CLIENT/stack.sh"
project serviceusage.googleapis.com cloudresourcemanager.googleapis.com storage.googleapis.com compute.googleapis.com
state_bucket
synthesise
tf init -backend-config=state.gcs.tfbackend
plan_is 2 'of a new project'
contains 'one plan' "$(cat plan.log)" 'Plan: '
# In the order of the runbook: what images need, then images, then all.
tf apply -auto-approve -target=module.apis -target=module.accounts -target=module.pypi -target=module.storage
empty_image
tf apply -auto-approve
plan_is 0 'after create'
equal 'the state is in the bucket' "$(api GET "https://storage.googleapis.com/storage/v1/b/$PROJECT-kiln-state/o" | grep -c '"name": "terraform/default.tfstate"')" 1

compute=https://compute.googleapis.com/compute/v1/projects/$PROJECT
api PATCH "$compute/global/firewalls/allow-serve-$PROJECT" '{"sourceRanges":["10.0.0.0/8"]}' >/dev/null
wait_for 'the drift' bash -c ". \"\$LIB\"; api GET $compute/global/firewalls/allow-serve-$PROJECT | grep -q 10.0.0.0/8"
plan_is 2 'after drift'
tf apply -auto-approve
plan_is 0 'after the repair'
plan_is 2 'of the development VM, which is there only when it is asked for' -var dev=true
contains 'the development VM' "$(cat plan.log)" 'module.dev[0].google_compute_instance.moshi_dev will be created'

if [ -d ops/terraform/server ]; then
  # What a deployer does: another template, and the group is told to run it.
  group=$(terraform -chdir=ops/terraform output -json | sed -n 's/^ *"value": "\(serve-[^"]*\)",*$/\1/p' | head -1)
  api POST "$compute/global/instanceTemplates" "{\"name\":\"release-2\",\"properties\":{\"machineType\":\"e2-micro\",\"disks\":[{\"boot\":true,\"autoDelete\":true,\"initializeParams\":{\"sourceImage\":\"global/images/moshi-srv-1\"}}],\"networkInterfaces\":[{\"network\":\"global/networks/default\"}]}}" >/dev/null
  wait_for 'the template' api GET "$compute/global/instanceTemplates/release-2" >/dev/null
  api PATCH "$compute/zones/$ZONE/instanceGroupManagers/$group" "{\"versions\":[{\"instanceTemplate\":\"projects/$PROJECT/global/instanceTemplates/release-2\"}]}" >/dev/null
  wait_for 'the new version' bash -c ". \"\$LIB\"; api GET $compute/zones/$ZONE/instanceGroupManagers/$group | grep -q release-2"
  plan_is 0 'after a release'
fi

# Somebody else's state: everything is taken over, nothing is made again.
"$KILN" synth --imports >/dev/null
plan_is 0 'with imports of what is in the state'
mkdir elsewhere && cp -r ops server entrypoint.sh elsewhere/ && rm -rf elsewhere/ops/terraform/.terraform
(
  cd elsewhere
  tf init -backend-config=state.gcs.tfbackend -backend-config=prefix=other
  plan_is 2 'of the imports'
  # What cannot be imported: one object, an index, a ruleset, the role for GitHub. The release of the rules follows its ruleset.
  contains imports "$(cat plan.log)" ' to import, 5 to add, '
  equal 'what is replaced' "$(grep 'must be replaced' plan.log)" '  # module.firebase.google_firebaserules_release.cloud_firestore must be replaced'
  contains imports "$(cat plan.log)" ' 1 to destroy'
)

tf destroy -auto-approve
equal 'state after destroy' "$(terraform -chdir=ops/terraform state list)" ''
for what in global/firewalls global/addresses global/healthChecks global/backendServices global/urlMaps global/forwardingRules zones/$ZONE/instances zones/$ZONE/instanceGroupManagers; do
  equal "$what that are left" "$(api GET "$compute/$what" | grep '"name":' | grep -v 'default-allow' || true)" ''
done
equal 'repositories that are left' "$(api GET "https://artifactregistry.googleapis.com/v1/projects/$PROJECT/locations/$REGION/repositories" | grep -c '"name"' || true)" 0
