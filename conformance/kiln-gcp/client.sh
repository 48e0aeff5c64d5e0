#!/usr/bin/env bash
# Kiln itself, on the pocket cloud as if it were Google: --target gcp with the real Terraform and its google provider
# from: machine
for tool in terraform curl make; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed here"; exit 77; }
done
. "$ROOT/conformance/terraform/provider.sh" || exit 77
echo "kiln $("$KILN" --version), $(terraform version 2>/dev/null | head -1), google provider $PROVIDER_VERSION"
