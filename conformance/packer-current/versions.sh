# Sourced: what client.sh builds, and where it is.
PACKER_VERSION=1.11.2
PLUGIN_VERSION=1.1.6
PACKER=$TOOLS/packer-$PACKER_VERSION-$PLUGIN_VERSION/packer
PLUGIN=$TOOLS/packer-$PACKER_VERSION-$PLUGIN_VERSION/packer-plugin-googlecompute
