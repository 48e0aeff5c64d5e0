#!/usr/bin/env bash
# google_service_account with a key, and what it may do: on itself and on the project
. "$LIB"
. "$CLIENT/lifecycle.sh"
project iam.googleapis.com
cat >main.tf <<'T'
resource "google_service_account" "app" {
  account_id   = "app-one"
  display_name = "App ${var.change}"
}
resource "google_service_account_key" "app" {
  service_account_id = google_service_account.app.name
}
resource "google_service_account_iam_member" "user" {
  service_account_id = google_service_account.app.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.app.member
}
resource "google_project_iam_member" "viewer" {
  project = var.project
  role    = "roles/viewer"
  member  = google_service_account.app.member
}
T
drift() { api PATCH "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts/app-one@$PROJECT.iam.gserviceaccount.com" '{"serviceAccount":{"displayName":"changed by hand"},"updateMask":"displayName"}' >/dev/null; }
gone() { absent "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts/app-one@$PROJECT.iam.gserviceaccount.com"; }
lifecycle
