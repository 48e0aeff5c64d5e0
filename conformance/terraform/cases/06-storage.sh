#!/usr/bin/env bash
# google_storage_bucket with an object and an IAM member
. "$LIB"
. "$CLIENT/lifecycle.sh"
project storage.googleapis.com
cat >main.tf <<'T'
resource "google_storage_bucket" "data" {
  name                        = "${var.project}-data"
  location                    = "US"
  uniform_bucket_level_access = true
  force_destroy               = true
  labels                      = { stage = var.change }
  versioning { enabled = true }
  lifecycle_rule {
    action { type = "Delete" }
    condition { num_newer_versions = 3 }
  }
}
resource "google_storage_bucket_object" "greeting" {
  bucket  = google_storage_bucket.data.name
  name    = "folder/greeting.txt"
  content = "hello ${var.change}"
}
resource "google_storage_bucket_iam_member" "viewer" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = "allAuthenticatedUsers"
}
T
drift() { api PATCH "https://storage.googleapis.com/storage/v1/b/$PROJECT-data" '{"labels":{"stage":"by-hand"}}' >/dev/null; }
gone() { absent "https://storage.googleapis.com/storage/v1/b/$PROJECT-data"; }
lifecycle
