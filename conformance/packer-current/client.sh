#!/usr/bin/env bash
# Current Packer with the googlecompute plugin, built from their Go modules
# from: go
. "$(dirname "$0")/versions.sh"
. "$ROOT/conformance/go.sh"
command -v curl >/dev/null || { echo 'curl is not installed here'; exit 77; }
build_go "$(dirname "$PACKER")" github.com/hashicorp/packer "$PACKER_VERSION" . packer \
  github.com/hashicorp/packer-plugin-googlecompute "$PLUGIN_VERSION" . packer-plugin-googlecompute
echo "Packer $("$PACKER" version | sed -n 's/^Packer v//p'), googlecompute plugin $PLUGIN_VERSION"
