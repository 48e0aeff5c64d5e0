#!/usr/bin/env bash
# google_compute_network, subnetwork, firewall, router and its NAT
. "$LIB"
. "$CLIENT/lifecycle.sh"
project compute.googleapis.com
cat >main.tf <<'T'
resource "google_compute_network" "net" {
  name                    = "net"
  auto_create_subnetworks = false
  routing_mode            = var.change == "one" ? "REGIONAL" : "GLOBAL"
}
resource "google_compute_subnetwork" "sub" {
  name                     = "sub"
  network                  = google_compute_network.net.id
  ip_cidr_range            = "10.20.0.0/24"
  private_ip_google_access = var.change == "two"
}
resource "google_compute_firewall" "web" {
  name          = "web"
  network       = google_compute_network.net.name
  source_ranges = ["0.0.0.0/0"]
  target_tags   = ["web"]
  allow {
    protocol = "tcp"
    ports    = var.change == "one" ? ["80"] : ["80", "443"]
  }
}
resource "google_compute_router" "router" {
  name    = "router"
  network = google_compute_network.net.id
}
resource "google_compute_router_nat" "nat" {
  name                               = "nat"
  router                             = google_compute_router.router.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}
T
drift() { api PATCH "$COMPUTE/global/firewalls/web" '{"disabled":true}' >/dev/null; wait_for 'the change' bash -c ". \"\$LIB\"; api GET $COMPUTE/global/firewalls/web | grep -q '\"disabled\": true'"; }
gone() { absent "$COMPUTE/global/networks/net"; }
lifecycle
