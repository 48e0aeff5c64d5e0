#!/usr/bin/env bash
# Google's programs for the inside of a VM, from Debian: the guest agent, cloud-init with its data source GCE, google-auth for Python
# from: machine
for program in mmdebstrap qemu-system-x86_64 ssh ssh-keygen curl; do
  command -v "$program" >/dev/null || { echo "$program is not installed here"; exit 77; }
done
# The bake reads Debian's lists itself; this machine's may be absent.
version() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([^+~]*\).*/\1/p'; }
VERSIONS=
for package in google-guest-agent cloud-init python3-google-auth; do
  VERSIONS+="${VERSIONS:+, }$package $(version "$package")"
done
echo "$VERSIONS"
