#!/usr/bin/env bash
# `engine: 'packer'`: `up --target gcp` has Packer make both images from the generated templates, tests them in VMs of the project, and serves; a sick image leaves the family as it was
. "$LIB"
. "$CLIENT/../packer-current/versions.sh"
# built outside of the pocket cloud, like the client of packer-current
[ -x "$PACKER" ] || env -u HTTPS_PROXY -u https_proxy -u HTTP_PROXY -u http_proxy -u SSL_CERT_FILE bash "$CLIENT/../packer-current/client.sh" || skip 'current Packer cannot be built here'
. "$CLIENT/stack.sh"
export PATH=$(dirname "$PACKER"):$PATH PACKER_PLUGIN_PATH=$PWD/plugins PACKER_CONFIG_DIR=$PWD PACKER_CACHE_DIR=$PWD/cache
packer plugins install --path "$PLUGIN" github.com/hashicorp/googlecompute >/dev/null
project serviceusage.googleapis.com cloudresourcemanager.googleapis.com iam.googleapis.com storage.googleapis.com compute.googleapis.com artifactregistry.googleapis.com
example "s/debian: 'bookworm'/engine: 'packer', debian: 'bookworm'/; s/from: 'python3'/engine: 'packer', from: 'python3'/"
images=https://compute.googleapis.com/compute/v1/projects/$PROJECT/global/images

made=$(on_google up --yes --json)
url=$(field url "$made")
serves "$url" 0.1.0
for family in python3 moshi-srv; do
  image=$(api GET "$images/family/$family")
  contains "the image of $family" "$image" 'made by Packer;'
  contains "the image of $family" "$image" 'boot test passed'
done
first=$(field name "$(api GET "$images/family/moshi-srv")")
equal 'a second up' "$(field changes "$(on_google up --yes --json)")" 0
equal 'VMs that are neither Packer'"'"'s nor a test'"'"'s' "$(named "zones/$ZONE/instances" | grep -cE '^(packer|kiln-test)' || true)" 0

# another version: the base image stays
base=$(field name "$(api GET "$images/family/python3")")
version 0.2.0
on_google deploy --yes >/dev/null
serves "$url" 0.2.0
equal 'the base image' "$(field name "$(api GET "$images/family/python3")")" "$base"
second=$(field name "$(api GET "$images/family/moshi-srv")")
[ "$first" != "$second" ]

# an image that is never well: no family, no image, no VM
cp -r stack sick
printf '#!/bin/sh\nexit 1\n' >sick/entrypoint.sh
sed -i "s/health: { path: '\/healthz', port: 8080 }/health: { path: '\/healthz', port: 8080, timeoutSeconds: 20 }/" sick/kiln.config.ts
refused 'did not become healthy within 20 s' "$KILN" bake moshi-srv --stack sick --target gcp --yes
equal 'the image of the family' "$(field name "$(api GET "$images/family/moshi-srv")")" "$second"
equal 'images' "$(named global/images | sort | tr '\n' ' ')" "$(printf '%s\n' "$base" "$first" "$second" | sort | tr '\n' ' ')"
equal 'VMs that are neither Packer'"'"'s nor a test'"'"'s' "$(named "zones/$ZONE/instances" | grep -cE '^(packer|kiln-test)' || true)" 0
on_google destroy --yes >/dev/null
nothing_left
