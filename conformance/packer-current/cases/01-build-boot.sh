#!/usr/bin/env bash
# The template of packer/build-boot with required_plugins, on current Packer: init, validate, build; the image is in its family, and a VM of it boots and answers
. "$LIB"
. "$CLIENT/../packer/build.sh"
. "$CLIENT/versions.sh"
export PACKER_PLUGIN_PATH=$PWD/plugins PACKER_CONFIG_DIR=$PWD PACKER_CACHE_DIR=$PWD/cache CHECKPOINT_DISABLE=1
prepare_build
mkdir template
cp "$CLIENT/../packer/image.pkr.hcl" "$CLIENT/plugins.pkr.hcl" template/
"$PACKER" plugins install --path "$PLUGIN" github.com/hashicorp/googlecompute
# What is required is there: nothing is looked for elsewhere.
"$PACKER" init template
"$PACKER" validate -var "project=$PROJECT" -var greeting=hello template
"$PACKER" build -color=false -var "project=$PROJECT" -var greeting=hello template
check_build
