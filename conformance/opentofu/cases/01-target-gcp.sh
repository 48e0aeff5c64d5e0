#!/usr/bin/env bash
# `up --target gcp` with OpenTofu: infrastructure and a release, nothing to change, what was changed beside it is seen and put right, destroy, nothing left
. "$LIB"
. "$CLIENT/versions.sh"
. "$ROOT/conformance/kiln-gcp/stack.sh"
# The program takes the provider from its own registry's folder of a mirror.
package=hashicorp/google/$PROVIDER_VERSION/linux_amd64
mkdir -p "mirror/registry.opentofu.org/$package"
ln -s "$PROVIDER_MIRROR/registry.terraform.io/$package/"* "mirror/registry.opentofu.org/$package/"
providers_from "$PWD/mirror"
export PATH="$(dirname "$TOFU"):$PATH" KILN_TERRAFORM=tofu
project serviceusage.googleapis.com cloudresourcemanager.googleapis.com iam.googleapis.com storage.googleapis.com compute.googleapis.com artifactregistry.googleapis.com
example 's/size: 2,/size: 1,/'

made=$(on_google up --yes --json)
url=$(field url "$made")
equal 'the first release' "$(field release "$made")" 1
serves "$url" 0.1.0
equal 'who wrote the state' "$(api GET "https://storage.googleapis.com/storage/v1/b/$PROJECT-kiln-state/o/terraform%2Fdefault.tfstate?alt=media" | grep -o '"terraform_version": *"[0-9.]*"' | tr -d ' ')" "\"terraform_version\":\"$TOFU_VERSION\""
equal 'a second up' "$(field changes "$(on_google up --yes --json)")" 0

check=$(named global/healthChecks | grep -v -- -healing)
api PATCH "https://compute.googleapis.com/compute/v1/projects/$PROJECT/global/healthChecks/$check" '{"checkIntervalSec": 9, "timeoutSec": 9}' >/dev/null
equal 'an up after a change by hand' "$(field changes "$(on_google up --yes --json)")" 1
equal 'an up after that' "$(field changes "$(on_google up --yes --json)")" 0

on_google destroy --yes >/dev/null
nothing_left
