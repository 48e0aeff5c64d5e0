#!/usr/bin/env bash
# Terraform and Packer on the files of kiln synth
# from: machine
for tool in terraform packer make curl; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed here"; exit 77; }
done
. "$ROOT/conformance/terraform/provider.sh" || exit 77
echo "$(terraform version 2>/dev/null | head -1), google provider $PROVIDER_VERSION, Packer $(packer version | sed -n 's/^Packer v//p')"
