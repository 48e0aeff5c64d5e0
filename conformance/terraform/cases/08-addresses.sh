#!/usr/bin/env bash
# google_compute_global_address and google_compute_address
. "$LIB"
. "$CLIENT/lifecycle.sh"
project compute.googleapis.com
cat >main.tf <<'T'
resource "google_compute_global_address" "front" {
  name   = "front"
  labels = { stage = var.change }
}
resource "google_compute_address" "vm" {
  name = "vm"
}
T
gone() { absent "$COMPUTE/global/addresses/front"; }
lifecycle
