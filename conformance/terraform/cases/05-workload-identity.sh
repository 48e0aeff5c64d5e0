#!/usr/bin/env bash
# google_iam_workload_identity_pool and its OIDC provider
. "$LIB"
. "$CLIENT/lifecycle.sh"
project iam.googleapis.com sts.googleapis.com
cat >main.tf <<'T'
resource "google_iam_workload_identity_pool" "ci" {
  workload_identity_pool_id = "ci-pool"
  display_name              = "CI ${var.change}"
}
resource "google_iam_workload_identity_pool_provider" "github" {
  workload_identity_pool_id          = google_iam_workload_identity_pool.ci.workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  attribute_condition                = "assertion.repository_id == '${var.change == "one" ? "1" : "2"}'"
  attribute_mapping                  = { "google.subject" = "assertion.sub", "attribute.repository_id" = "assertion.repository_id" }
  oidc { issuer_uri = "https://token.actions.githubusercontent.com" }
}
T
drift() { api PATCH "https://iam.googleapis.com/v1/projects/$PROJECT/locations/global/workloadIdentityPools/ci-pool?updateMask=disabled" '{"disabled":true}' >/dev/null; }
lifecycle
