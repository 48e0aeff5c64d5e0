#!/usr/bin/env bash
# google_compute_health_check, backend service, URL map, target proxy, forwarding rule
. "$LIB"
. "$CLIENT/lifecycle.sh"
project compute.googleapis.com
cat >main.tf <<'T'
resource "google_compute_health_check" "web" {
  name               = "web"
  check_interval_sec = var.change == "one" ? 5 : 7
  http_health_check {
    port         = 8080
    request_path = "/healthz"
  }
}
resource "google_compute_backend_service" "web" {
  name                  = "web"
  protocol              = "HTTP"
  port_name             = "http"
  timeout_sec           = var.change == "one" ? 30 : 20
  load_balancing_scheme = "EXTERNAL_MANAGED"
  health_checks         = [google_compute_health_check.web.id]
}
resource "google_compute_url_map" "web" {
  name            = "web"
  description     = "routes, ${var.change}"
  default_service = google_compute_backend_service.web.id
}
resource "google_compute_target_http_proxy" "web" {
  name    = "web"
  url_map = google_compute_url_map.web.id
}
resource "google_compute_global_address" "web" {
  name = "web"
}
resource "google_compute_global_forwarding_rule" "web" {
  name                  = "web"
  target                = google_compute_target_http_proxy.web.id
  ip_address            = google_compute_global_address.web.address
  port_range            = "80"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
T
gone() { absent "$COMPUTE/global/backendServices/web"; }
lifecycle
