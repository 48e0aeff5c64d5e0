variable "project" {
  type = string
}

variable "zone" {
  type = string
}

source "googlecompute" "python3" {
  project_id              = var.project
  zone                    = var.zone
  source_image_family     = "debian-12"
  source_image_project_id = ["debian-cloud"]
  machine_type            = "e2-medium"
  disk_size               = 10
  ssh_username            = "packer"
  ssh_timeout             = "10m"
  image_name              = "debian12-python3-{{timestamp}}"
  image_family            = "debian12-python3"
  image_description       = "Debian 12 with Python 3"
}

build {
  sources = ["source.googlecompute.python3"]

  provisioner "shell" {
    inline = [
      "python3 -c 'import venv, ensurepip' 2>/dev/null || (sudo apt-get update && sudo apt-get install -y python3-venv python3-pip)",
      "sudo python3 -m venv --system-site-packages /opt/venv",
      "/opt/venv/bin/python --version",
    ]
  }
}
