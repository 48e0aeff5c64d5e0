#!/usr/bin/env bash
# google_project_service: enabled, seen when somebody disables it, disabled
. "$LIB"
. "$CLIENT/lifecycle.sh"
project serviceusage.googleapis.com
cat >main.tf <<'T'
resource "google_project_service" "speech" {
  service            = "speech.googleapis.com"
  disable_on_destroy = true
}
T
drift() { api POST "https://serviceusage.googleapis.com/v1/projects/$PROJECT/services/speech.googleapis.com:disable" '{}' >/dev/null; }
lifecycle
