# Sourced: finds the google provider in the usual mirror folders and tells Terraform to take it from there. Sets PROVIDER_VERSION.
# Prints why and gives 77 when there is none: a provider's own registry is not asked.
find_provider() {
  local folder found
  for folder in "${TF_PLUGIN_MIRROR:-}" "$HOME/.terraform.d/plugins" /usr/local/share/terraform/plugins /usr/share/terraform/plugins; do
    [ -n "$folder" ] || continue
    found=$(find "$folder/registry.terraform.io/hashicorp/google" -name 'terraform-provider-google_v*' -path '*linux_amd64*' 2>/dev/null | sort -V | tail -1)
    [ -n "$found" ] || continue
    PROVIDER_VERSION=$(basename "$(dirname "$(dirname "$found")")")
    PROVIDER_MIRROR=$folder
    return 0
  done
  return 1
}
# providers_from FOLDER: providers are taken from this mirror alone.
providers_from() {
  printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$1" >"$TF_CLI_CONFIG_FILE"
}
if find_provider; then
  # in the case's folder, with which it goes
  export TF_CLI_CONFIG_FILE=$PWD/providers.tfrc CHECKPOINT_DISABLE=1
  providers_from "$PROVIDER_MIRROR"
else
  echo "no google provider for Terraform in the usual mirror folders (~/.terraform.d/plugins/registry.terraform.io/hashicorp/google/VERSION/linux_amd64)"
  exit 77
fi
