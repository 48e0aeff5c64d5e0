# Sourced: what client.sh builds, and where it is.
TOFU_VERSION=1.10.10
TOFU=$TOOLS/opentofu-$TOFU_VERSION/tofu
