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

resource "google_storage_bucket" "moshi" {
  name                        = "${var.project}-storage"
  location                    = "US"
  uniform_bucket_level_access = true
  force_destroy               = true
}

output "bucket" {
  value = google_storage_bucket.moshi.name
}
