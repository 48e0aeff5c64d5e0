variable "project" {
  type = string
}

variable "zone" {
  type = string
}

variable "region" {
  type = string
}

variable "server_version" {
  type = string
}

source "googlecompute" "moshi" {
  project_id          = var.project
  zone                = var.zone
  source_image_family = "debian12-python3"
  machine_type        = "e2-medium"
  disk_size           = 10
  ssh_username        = "packer"
  ssh_timeout         = "10m"
  # Without this account pip gets a 401 from the index.
  service_account_email = "artifact-reader@${var.project}.iam.gserviceaccount.com"
  scopes                = ["https://www.googleapis.com/auth/cloud-platform"]
  image_name            = "moshi-srv-{{timestamp}}"
  image_family          = "moshi-srv"
  image_labels = {
    version = "${replace(var.server_version, ".", "-")}"
  }
}

build {
  sources = ["source.googlecompute.moshi"]

  provisioner "file" {
    source      = "server/entrypoint.sh"
    destination = "/tmp/entrypoint.sh"
  }

  provisioner "file" {
    source      = "server/moshi-srv.service"
    destination = "/tmp/moshi-srv.service"
  }

  provisioner "shell" {
    environment_vars = ["INDEX=${var.region}-python.pkg.dev/${var.project}/pypi/simple/", "VERSION=${var.server_version}"]
    script           = "scripts/provision_server.sh"
  }
}
