#!/usr/bin/env bash
set -euo pipefail
gcloud artifacts print-settings python --project="$PROJECT" --repository=pypi --location="$REGION"
