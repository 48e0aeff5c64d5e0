#!/usr/bin/env bash
# What GitHub's repository settings need: names, no secrets.
set -euo pipefail
echo "PROVIDER_NAME=$(terraform -chdir=terraform/github output -raw provider_name)"
echo "SA_EMAIL=$(terraform -chdir=terraform/github output -raw service_account)"
