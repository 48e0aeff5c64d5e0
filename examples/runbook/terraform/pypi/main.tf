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

resource "google_artifact_registry_repository" "pypi" {
  repository_id = "pypi"
  location      = var.region
  format        = "PYTHON"
  description   = "Private Python packages"
}

# Packer's VM reads the index as this account while it bakes the server image.
resource "google_service_account" "reader" {
  account_id   = "artifact-reader"
  display_name = "Reads packages while images are baked"
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  repository = google_artifact_registry_repository.pypi.name
  location   = google_artifact_registry_repository.pypi.location
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.reader.member
}
