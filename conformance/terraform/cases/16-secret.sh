#!/usr/bin/env bash
# google_secret_manager_secret with a version
. "$LIB"
. "$CLIENT/lifecycle.sh"
project secretmanager.googleapis.com
cat >main.tf <<'T'
resource "google_secret_manager_secret" "key" {
  secret_id = "key"
  labels    = { stage = var.change }
  replication {
    auto {}
  }
}
resource "google_secret_manager_secret_version" "key" {
  secret      = google_secret_manager_secret.key.id
  secret_data = "value ${var.change}"
}
T
drift() { api PATCH "https://secretmanager.googleapis.com/v1/projects/$PROJECT/secrets/key?updateMask=labels" '{"labels":{"stage":"by-hand"}}' >/dev/null; }
gone() { absent "https://secretmanager.googleapis.com/v1/projects/$PROJECT/secrets/key"; }
lifecycle
