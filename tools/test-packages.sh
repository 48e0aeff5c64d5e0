#!/bin/sh
# Installs the Debian packages that only the tests use: Debian's own pip and twine as clients of the index, and Debian's Packer, and what
# a tiny bootable guest is made of. Quick when nothing is missing.
set -eu
packages="python3 python3-pip python3-venv twine python3-setuptools python3-wheel packer curl busybox-static systemd-boot-efi mtools binutils wrk"
missing=""
for package in $packages; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing from Debian:$missing" >&2
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
$as_root apt-get -o DPkg::Lock::Timeout=300 update -qq
# shellcheck disable=SC2086 -- a list of names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >/dev/null
