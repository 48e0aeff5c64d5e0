#!/usr/bin/env bash
# Terraform with the google provider
# from: machine
command -v terraform >/dev/null || { echo 'terraform is not installed here'; exit 77; }
command -v curl >/dev/null || { echo 'curl is not installed here'; exit 77; }
. "$ROOT/conformance/terraform/provider.sh"
echo "$(terraform version 2>/dev/null | head -1), google provider $PROVIDER_VERSION"
