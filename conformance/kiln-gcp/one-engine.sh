#!/usr/bin/env bash
# direct|terraform: brings ./stack up by that engine, on the cloud of this environment. There is an image of the family that boots nothing, since nothing boots: the group begins empty.
. "$LIB"
. "$CLIENT/stack.sh"
. "$ROOT/conformance/synth/stack.sh"
project serviceusage.googleapis.com cloudresourcemanager.googleapis.com storage.googleapis.com compute.googleapis.com
case $1 in
  direct)
    "$NODE" "$CLIENT/engine.mjs" direct bucket
    empty_image
    "$NODE" "$CLIENT/engine.mjs" direct
    ;;
  terraform)
    "$KILN" synth stack >/dev/null
    cd stack
    state_bucket
    tf init -backend-config=state.gcs.tfbackend
    tf apply -auto-approve -target=module.apis -target=module.storage
    empty_image
    tf apply -auto-approve -var "moshi_srv_image=projects/$PROJECT/global/images/moshi-srv-1"
    cd ..
    "$NODE" "$CLIENT/engine.mjs" own
    ;;
esac
