#!/usr/bin/env bash
# A googlecompute template with source_image_family, file and shell provisioners over SSH and a service account: the image is in its family, and a VM of it boots and answers
. "$LIB"
. "$CLIENT/build.sh"
PACKER=${PACKER:-/usr/bin/packer}
prepare_build
"$PACKER" build -color=false -var "project=$PROJECT" -var greeting=hello "$CLIENT/image.pkr.hcl"
check_build
