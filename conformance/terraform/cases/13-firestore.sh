#!/usr/bin/env bash
# google_firestore_database and an index
. "$LIB"
. "$CLIENT/lifecycle.sh"
project firestore.googleapis.com
cat >main.tf <<'T'
resource "google_firestore_database" "db" {
  name                    = "(default)"
  location_id             = "nam5"
  type                    = "FIRESTORE_NATIVE"
  delete_protection_state = "DELETE_PROTECTION_DISABLED"
  deletion_policy         = "DELETE"
  point_in_time_recovery_enablement = var.change == "one" ? "POINT_IN_TIME_RECOVERY_DISABLED" : "POINT_IN_TIME_RECOVERY_ENABLED"
}
resource "google_firestore_index" "lessons" {
  database   = google_firestore_database.db.name
  collection = "lessons"
  fields {
    field_path = "user"
    order      = "ASCENDING"
  }
  fields {
    field_path = "time"
    order      = "DESCENDING"
  }
}
T
lifecycle
