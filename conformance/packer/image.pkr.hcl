variable "project" {
  type = string
}

variable "greeting" {
  type = string
}

source "googlecompute" "server" {
  project_id              = var.project
  zone                    = "us-central1-c"
  source_image_family     = "debian-12"
  source_image_project_id = ["debian-cloud"]
  machine_type            = "e2-medium"
  ssh_username            = "packer"
  ssh_timeout             = "15m"
  service_account_email   = "image-baker@${var.project}.iam.gserviceaccount.com"
  scopes                  = ["https://www.googleapis.com/auth/cloud-platform"]
  image_name              = "server-{{timestamp}}"
  image_family            = "server"
  image_labels            = { made-by = "packer" }
}

build {
  sources = ["source.googlecompute.server"]

  provisioner "file" {
    source      = "greeting.txt"
    destination = "/tmp/greeting.txt"
  }

  provisioner "shell" {
    environment_vars = ["GREETING=${var.greeting}"]
    script           = "provision.sh"
  }
}
