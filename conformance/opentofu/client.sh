#!/usr/bin/env bash
# Kiln on the pocket cloud as if it were Google, with OpenTofu instead of Terraform, built from its Go module, and the google provider
# from: go
. "$(dirname "$0")/versions.sh"
. "$ROOT/conformance/go.sh"
command -v curl >/dev/null || { echo 'curl is not installed here'; exit 77; }
. "$ROOT/conformance/terraform/provider.sh"
build_go "$(dirname "$TOFU")" github.com/opentofu/opentofu "$TOFU_VERSION" ./cmd/tofu tofu
echo "OpenTofu $("$TOFU" version | sed -n 's/^OpenTofu v//p'), google provider $PROVIDER_VERSION"
