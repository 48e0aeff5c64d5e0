#!/usr/bin/env bash
# The whole runbook of examples/runbook with gcloud, Terraform, Packer, make, pip and twine
# from: machine
for tool in gcloud terraform packer twine make curl; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed here"; exit 77; }
done
/usr/bin/python3 -c 'import setuptools, wheel, pip' 2>/dev/null || { echo 'python3-pip, python3-setuptools or python3-wheel is not installed here'; exit 77; }
. "$ROOT/conformance/terraform/provider.sh" || exit 77
echo "$(gcloud version 2>/dev/null | head -1), $(terraform version | head -1), google provider $PROVIDER_VERSION, Packer $(packer version | sed -n 's/^Packer v//p'), $(twine --version | head -1 | cut -d' ' -f1-3)"
