# Sourced by the cases of packer and packer-current: what the build reads and runs, and what must come of it.

# prepare_build: a project with a service account that may read one bucket, and the files of the provisioners.
prepare_build() {
  project compute.googleapis.com iam.googleapis.com storage.googleapis.com
  api POST "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts" '{"accountId":"image-baker"}' >/dev/null
  api POST "https://storage.googleapis.com/storage/v1/b?project=$PROJECT" "{\"name\":\"$PROJECT-files\",\"iamConfiguration\":{\"uniformBucketLevelAccess\":{\"enabled\":true}}}" >/dev/null
  api PUT "https://storage.googleapis.com/storage/v1/b/$PROJECT-files/iam" "{\"bindings\":[{\"role\":\"roles/storage.objectViewer\",\"members\":[\"serviceAccount:image-baker@$PROJECT.iam.gserviceaccount.com\"]}]}" >/dev/null
  curl -sS --fail-with-body -X POST -H "Authorization: Bearer $(owner_token)" --data 'from the bucket' "https://storage.googleapis.com/upload/storage/v1/b/$PROJECT-files/o?uploadType=media&name=note.txt" >/dev/null
  echo 'from the file provisioner' >greeting.txt
  cat >provision.sh <<P
#!/bin/bash
set -euo pipefail
# The VM is the service account: it reads the bucket by Google's own name, with nothing configured.
TOKEN=\$(curl -sf -H 'Metadata-Flavor: Google' http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
sudo mkdir -p /srv/www
curl -sSf -H "Authorization: Bearer \$TOKEN" 'https://storage.googleapis.com/storage/v1/b/$PROJECT-files/o/note.txt?alt=media' | sudo tee /srv/www/note.txt >/dev/null
sudo mv /tmp/greeting.txt /srv/www/greeting.txt
echo "\$GREETING" | sudo tee /srv/www/variable.txt >/dev/null
printf '[Unit]\nAfter=network.target\n[Service]\nExecStart=/usr/bin/python3 -m http.server --directory /srv/www 8080\n[Install]\nWantedBy=multi-user.target\n' | sudo tee /etc/systemd/system/www.service >/dev/null
sudo systemctl enable www.service
P
}

# check_build: the image is in its family, nothing else is left, and a VM of it serves what was provisioned.
check_build() {
  local compute=https://compute.googleapis.com/compute/v1/projects/$PROJECT image address
  image=$(api GET "$compute/global/images/family/server")
  contains 'the image' "$image" '"made-by": "packer"'
  equal 'VMs that Packer left' "$(api GET "$compute/aggregated/instances" | grep -c '"natIP"' || true)" 0
  api POST "$compute/global/firewalls" '{"name":"web","network":"global/networks/default","allowed":[{"IPProtocol":"tcp","ports":["8080"]}],"sourceRanges":["0.0.0.0/0"]}' >/dev/null
  api POST "$compute/zones/$ZONE/instances" "{\"name\":\"www\",\"machineType\":\"zones/$ZONE/machineTypes/e2-small\",\"disks\":[{\"boot\":true,\"autoDelete\":true,\"initializeParams\":{\"sourceImage\":\"global/images/family/server\"}}],\"networkInterfaces\":[{\"network\":\"global/networks/default\",\"accessConfigs\":[{\"type\":\"ONE_TO_ONE_NAT\"}]}]}" >/dev/null
  wait_for 'an address' bash -c ". \"\$LIB\"; api GET $compute/zones/$ZONE/instances/www | grep -q natIP"
  address=$(api GET "$compute/zones/$ZONE/instances/www" | sed -n 's/^ *"natIP": "\(.*\)",*$/\1/p')
  wait_for 'an answer' curl -sf -o /dev/null --max-time 5 "http://$address:8080/greeting.txt"
  equal 'the file' "$(curl -sf "http://$address:8080/greeting.txt")" 'from the file provisioner'
  equal 'the object' "$(curl -sf "http://$address:8080/note.txt")" 'from the bucket'
  equal 'the variable' "$(curl -sf "http://$address:8080/variable.txt")" hello
  api DELETE "$compute/zones/$ZONE/instances/www" >/dev/null
}
