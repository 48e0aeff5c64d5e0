#!/usr/bin/env bash
# google_dns_managed_zone and google_dns_record_set
. "$LIB"
. "$CLIENT/lifecycle.sh"
project dns.googleapis.com
cat >main.tf <<'T'
resource "google_dns_managed_zone" "zone" {
  name        = "zone"
  dns_name    = "chatmoshi.test."
  description = "zone ${var.change}"
}
resource "google_dns_record_set" "dev" {
  managed_zone = google_dns_managed_zone.zone.name
  name         = "dev.chatmoshi.test."
  type         = "A"
  ttl          = var.change == "one" ? 300 : 60
  rrdatas      = ["192.0.2.1"]
}
T
drift() { api PATCH "https://dns.googleapis.com/dns/v1/projects/$PROJECT/managedZones/zone/rrsets/dev.chatmoshi.test./A" '{"name":"dev.chatmoshi.test.","type":"A","ttl":5,"rrdatas":["192.0.2.9"]}' >/dev/null; }
lifecycle
