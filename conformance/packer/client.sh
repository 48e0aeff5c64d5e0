#!/usr/bin/env bash
# Debian's Packer with its built-in googlecompute builder
# from: debian
command -v /usr/bin/packer >/dev/null || { echo 'packer is not installed here'; exit 77; }
command -v curl >/dev/null || { echo 'curl is not installed here'; exit 77; }
echo "Packer $(/usr/bin/packer version | sed -n 's/^Packer v//p')"
