#!/usr/bin/env bash
# google_compute_instance_template and google_compute_instance_group_manager: replaced when the template changes
. "$LIB"
. "$CLIENT/lifecycle.sh"
project compute.googleapis.com
cat >main.tf <<'T'
resource "google_compute_instance_template" "web" {
  name_prefix  = "web-"
  machine_type = "e2-small"
  metadata     = { stage = var.change }
  disk {
    source_image = "debian-cloud/debian-12"
    boot         = true
  }
  network_interface {
    network = "default"
  }
  lifecycle { create_before_destroy = true }
}
resource "google_compute_instance_group_manager" "web" {
  name               = "web"
  base_instance_name = "web"
  target_size        = 0
  version { instance_template = google_compute_instance_template.web.self_link_unique }
  named_port {
    name = "http"
    port = 8080
  }
}
T
gone() { absent "$COMPUTE/zones/$ZONE/instanceGroupManagers/web"; }
lifecycle
