#!/usr/bin/env bash
# google_project_iam_custom_role
. "$LIB"
. "$CLIENT/lifecycle.sh"
project iam.googleapis.com
cat >main.tf <<'T'
resource "google_project_iam_custom_role" "reader" {
  role_id     = "packageReader"
  title       = "Reads packages, ${var.change}"
  permissions = ["artifactregistry.repositories.downloadArtifacts", "artifactregistry.repositories.get"]
}
T
lifecycle
