#!/usr/bin/env bash
# google_artifact_registry_repository with an IAM member
. "$LIB"
. "$CLIENT/lifecycle.sh"
project artifactregistry.googleapis.com iam.googleapis.com
cat >main.tf <<'T'
resource "google_artifact_registry_repository" "pypi" {
  repository_id = "pypi"
  location      = "us-central1"
  format        = "PYTHON"
  description   = "packages, ${var.change}"
  labels        = { stage = var.change }
}
resource "google_artifact_registry_repository_iam_member" "reader" {
  repository = google_artifact_registry_repository.pypi.name
  location   = "us-central1"
  role       = "roles/artifactregistry.reader"
  member     = "allAuthenticatedUsers"
}
T
R=https://artifactregistry.googleapis.com/v1/projects/$PROJECT/locations/us-central1/repositories/pypi
drift() { api PATCH "$R?updateMask=description" '{"description":"changed by hand"}' >/dev/null; }
gone() { absent "$R"; }
lifecycle
