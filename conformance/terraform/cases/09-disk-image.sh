#!/usr/bin/env bash
# google_compute_disk, and google_compute_image of it
. "$LIB"
. "$CLIENT/lifecycle.sh"
project compute.googleapis.com
cat >main.tf <<'T'
resource "google_compute_disk" "data" {
  name   = "data"
  size   = var.change == "one" ? 10 : 12
  type   = "pd-standard"
  labels = { stage = var.change }
}
resource "google_compute_image" "data" {
  name        = "data-image"
  family      = "data"
  source_disk = google_compute_disk.data.id
  labels      = { stage = var.change }
  lifecycle { ignore_changes = [source_disk] }
}
resource "google_compute_snapshot" "data" {
  name        = "data-snapshot"
  source_disk = google_compute_disk.data.id
}
T
gone() { absent "$COMPUTE/global/images/data-image"; }
lifecycle
