#!/usr/bin/env bash
# google_compute_managed_ssl_certificate, target HTTPS proxy, a URL map that sends a host to https
. "$LIB"
. "$CLIENT/lifecycle.sh"
project compute.googleapis.com
cat >main.tf <<'T'
resource "google_compute_health_check" "web" {
  name = "web"
  http_health_check {
    port = 8080
  }
}
resource "google_compute_backend_service" "web" {
  name                  = "web"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  health_checks         = [google_compute_health_check.web.id]
}
resource "google_compute_url_map" "plain" {
  name            = "plain"
  default_service = google_compute_backend_service.web.id
  host_rule {
    hosts        = ["dev.chatmoshi.test"]
    path_matcher = "hosts-1"
  }
  path_matcher {
    name = "hosts-1"
    default_url_redirect {
      https_redirect         = true
      redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
      strip_query            = false
    }
  }
}
resource "google_compute_url_map" "web" {
  name            = "web"
  default_service = google_compute_backend_service.web.id
}
resource "google_compute_managed_ssl_certificate" "web" {
  name = "web-${var.change}"
  managed {
    domains = var.change == "one" ? ["dev.chatmoshi.test"] : ["dev.chatmoshi.test", "www.chatmoshi.test"]
  }
  lifecycle {
    create_before_destroy = true
  }
}
resource "google_compute_target_http_proxy" "plain" {
  name    = "plain"
  url_map = google_compute_url_map.plain.id
}
resource "google_compute_target_https_proxy" "web" {
  name             = "web"
  url_map          = google_compute_url_map.web.id
  ssl_certificates = [google_compute_managed_ssl_certificate.web.id]
}
resource "google_compute_global_address" "web" {
  name = "web"
}
resource "google_compute_global_forwarding_rule" "plain" {
  name                  = "plain"
  target                = google_compute_target_http_proxy.plain.id
  ip_address            = google_compute_global_address.web.address
  port_range            = "80"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
resource "google_compute_global_forwarding_rule" "web" {
  name                  = "web"
  target                = google_compute_target_https_proxy.web.id
  ip_address            = google_compute_global_address.web.address
  port_range            = "443"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
T
drift() { api POST "https://compute.googleapis.com/compute/v1/projects/$PROJECT/targetHttpsProxies/web/setUrlMap" "{\"urlMap\":\"projects/$PROJECT/global/urlMaps/plain\"}" >/dev/null; }
gone() { absent "$COMPUTE/global/sslCertificates/web-two"; }
lifecycle
