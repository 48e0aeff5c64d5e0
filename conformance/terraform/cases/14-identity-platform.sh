#!/usr/bin/env bash
# google_identity_platform_config
. "$LIB"
. "$CLIENT/lifecycle.sh"
project identitytoolkit.googleapis.com
cat >main.tf <<'T'
resource "google_identity_platform_config" "auth" {
  authorized_domains = ["localhost", "${var.change}.example.com"]
  sign_in {
    email {
      enabled           = true
      password_required = true
    }
    # The provider always reads this block back.
    phone_number {
      enabled = false
    }
  }
}
T
lifecycle
