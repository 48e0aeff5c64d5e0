#!/usr/bin/env bash
# A project is made, described, billed, given APIs, and deleted.
. "$LIB"
gcloud projects create "$PROJECT" --name 'A project'
equal 'projects describe' "$(gcloud projects describe "$PROJECT" --format='value(projectId,lifecycleState,name)')" "$(printf '%s\tACTIVE\tA project' "$PROJECT")"
ACCOUNT=$(gcloud beta billing accounts list --filter=open=true --format='value(name.basename())' --limit=1)
gcloud beta billing projects link "$PROJECT" --billing-account="$ACCOUNT" >/dev/null
equal 'billing' "$(gcloud beta billing projects describe "$PROJECT" --format='value(billingEnabled)')" True
gcloud services enable compute.googleapis.com
gcloud services enable artifactregistry.googleapis.com storage.googleapis.com iam.googleapis.com
contains 'services list' "$(gcloud services list --enabled --format='value(config.name)')" artifactregistry.googleapis.com
refused 'does not have permission' gcloud projects describe no-such-project-here
gcloud projects delete "$PROJECT"
equal 'after delete' "$(gcloud projects describe "$PROJECT" --format='value(lifecycleState)')" DELETE_REQUESTED
