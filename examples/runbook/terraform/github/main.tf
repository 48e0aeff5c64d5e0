terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source = "hashicorp/google"
    }
  }
}

variable "project" {
  type = string
}

variable "region" {
  type = string
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "repository_id" {
  type        = string
  default     = "123456789"
  description = "GitHub's number of the repository: a name could be taken over by somebody else."
}

resource "google_iam_workload_identity_pool" "github" {
  workload_identity_pool_id = "github"
  display_name              = "GitHub Actions"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "actions"
  display_name                       = "GitHub Actions"
  attribute_condition                = "assertion.repository_id == '${var.repository_id}' && assertion.ref == 'refs/heads/main'"

  attribute_mapping = {
    "google.subject"          = "assertion.sub"
    "attribute.repository_id" = "assertion.repository_id"
  }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "publisher" {
  account_id   = "github-publisher"
  display_name = "Publishes packages from GitHub Actions"
}

resource "google_service_account_iam_member" "github" {
  service_account_id = google_service_account.publisher.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}/attribute.repository_id/${var.repository_id}"
}

resource "google_project_iam_member" "publisher" {
  project = var.project
  role    = "roles/artifactregistry.writer"
  member  = google_service_account.publisher.member
}

output "provider_name" {
  value = google_iam_workload_identity_pool_provider.github.name
}

output "service_account" {
  value = google_service_account.publisher.email
}
