#!/usr/bin/env bash
# Every generated file as its own formatter leaves it; terraform validate, packer validate; a second synth writes nothing
. "$LIB"
. "$CLIENT/stack.sh"
synthesise
terraform fmt -check -recursive -diff ops/terraform
packer fmt -check -diff ops/packer
tf init -backend=false
tf validate
contains validate "$(cat tf.log)" 'The configuration is valid'
# Debian's Packer is older than `required_plugins`; the googlecompute builder is part of it.
mv ops/packer/plugins.pkr.hcl plugins.kept
packer validate ops/packer
mv plugins.kept ops/packer/plugins.pkr.hcl
for script in ops/bootstrap.sh ops/packer/*/provision.sh; do bash -n "$script"; done
"$KILN" synth --check
contains 'the second synth' "$("$KILN" synth)" 'are as the config wants them'
sed -i "s/'e2-small'/'e2-medium'/" kiln.config.ts
refused 'ops/terraform/dev/main.tf' "$KILN" synth --check
