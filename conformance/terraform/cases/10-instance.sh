#!/usr/bin/env bash
# google_compute_instance: a VM that really boots
. "$LIB"
. "$CLIENT/lifecycle.sh"
project compute.googleapis.com
cat >main.tf <<'T'
resource "google_compute_instance" "vm" {
  name                      = "vm"
  machine_type              = "e2-small"
  allow_stopping_for_update = true
  tags                      = ["web"]
  labels                    = { stage = var.change }
  metadata                  = { stage = var.change }
  boot_disk {
    initialize_params { image = "debian-cloud/debian-12" }
  }
  network_interface {
    network = "default"
    access_config {}
  }
  service_account {
    scopes = ["cloud-platform"]
  }
}
T
drift() {
  local fingerprint
  fingerprint=$(api GET "$COMPUTE/zones/$ZONE/instances/vm" | sed -n 's/^ *"labelFingerprint": "\(.*\)",*$/\1/p' | head -1)
  api POST "$COMPUTE/zones/$ZONE/instances/vm/setLabels" "{\"labels\":{\"stage\":\"by-hand\"},\"labelFingerprint\":\"$fingerprint\"}" >/dev/null
  wait_for 'the change' bash -c ". \"\$LIB\"; api GET $COMPUTE/zones/$ZONE/instances/vm | grep -q by-hand"
}
gone() { absent "$COMPUTE/zones/$ZONE/instances/vm"; absent "$COMPUTE/zones/$ZONE/disks/vm"; }
lifecycle
