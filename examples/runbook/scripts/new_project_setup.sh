#!/usr/bin/env bash
# Billing and the base set of APIs for a new project.
set -euo pipefail
gcloud projects describe "$PROJECT" --format='value(projectId)' 2>/dev/null || gcloud projects create "$PROJECT" --name Moshi
if [ "$(gcloud beta billing projects describe "$PROJECT" --format='value(billingEnabled)')" != True ]; then
  ACCOUNT=$(gcloud beta billing accounts list --filter=open=true --format='value(name.basename())' --limit=1)
  gcloud beta billing projects link "$PROJECT" --billing-account="$ACCOUNT"
fi
gcloud services enable artifactregistry.googleapis.com cloudresourcemanager.googleapis.com compute.googleapis.com firestore.googleapis.com iam.googleapis.com \
  iamcredentials.googleapis.com secretmanager.googleapis.com sts.googleapis.com texttospeech.googleapis.com speech.googleapis.com translate.googleapis.com
