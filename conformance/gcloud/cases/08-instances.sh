#!/usr/bin/env bash
# A VM of an image family: described, listed, its serial port, startup and shutdown scripts, metadata, labels, stopped, started, deleted; images of its disk and of a bucket's archive, families, deprecation
. "$LIB"
project compute.googleapis.com iam.googleapis.com storage.googleapis.com
B=gs://$PROJECT-scripts
EMAIL=machine@$PROJECT.iam.gserviceaccount.com
gcloud iam service-accounts create machine
gcloud storage buckets create "$B"
gcloud storage buckets add-iam-policy-binding "$B" --member="serviceAccount:$EMAIL" --role=roles/storage.objectAdmin >/dev/null
printf '#!/bin/sh\necho "from the bucket, as $(id -un)"\n' >from-bucket.sh
gcloud storage cp from-bucket.sh "$B/from-bucket.sh"
cat >startup.sh <<'S'
#!/bin/sh
echo "stage at startup: $(curl -sf -H Metadata-Flavor:Google http://metadata.google.internal/computeMetadata/v1/instance/attributes/stage)"
S
cat >shutdown.sh <<S
#!/bin/sh
TOKEN=\$(curl -sf -H Metadata-Flavor:Google http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
curl -sSf -X POST -H "Authorization: Bearer \$TOKEN" --data "said by \$(hostname) at its end" 'https://storage.googleapis.com/upload/storage/v1/b/$PROJECT-scripts/o?uploadType=media&name=last-words' >/dev/null && echo 'last words are stored'
S
vm=(--zone="$ZONE" --quiet)
# By curl while waiting: gcloud takes seconds to start.
says() { api GET "https://compute.googleapis.com/compute/v1/projects/$PROJECT/zones/$ZONE/instances/vm/serialPort" | grep -qF "$1"; }

gcloud compute instances create vm "${vm[@]}" --machine-type=e2-micro --image-family=debian-12 --image-project=debian-cloud --service-account="$EMAIL" --scopes=cloud-platform \
  --metadata="stage=one,startup-script-url=$B/from-bucket.sh" --metadata-from-file=startup-script=startup.sh,shutdown-script=shutdown.sh --labels=app=web
equal describe "$(gcloud compute instances describe vm --zone="$ZONE" --format='value(status,machineType.basename(),labels.app)')" "$(printf 'RUNNING\te2-micro\tweb')"
equal list "$(gcloud compute instances list --filter='labels.app=web AND status=RUNNING' --format='value(name,zone.basename())')" "$(printf 'vm\t%s' "$ZONE")"
refused 'already exists' gcloud compute instances create vm "${vm[@]}" --machine-type=e2-micro --image-family=debian-12 --image-project=debian-cloud
wait_for 'the startup script' says 'stage at startup: one'
wait_for 'the startup script of the bucket' says 'from the bucket, as root'
contains 'get-serial-port-output' "$(gcloud compute instances get-serial-port-output vm --zone="$ZONE" 2>/dev/null)" 'stage at startup: one'
# It follows the port until it is ended.
timeout 60 gcloud compute instances tail-serial-port-output vm --zone="$ZONE" >tail.log 2>&1 || true
contains 'tail-serial-port-output' "$(cat tail.log)" 'stage at startup: one'

gcloud compute instances add-metadata vm "${vm[@]}" --metadata=stage=two,other=thing
gcloud compute instances remove-metadata vm "${vm[@]}" --keys=other
equal metadata "$(gcloud compute instances describe vm --zone="$ZONE" --format='value(metadata.items.stage,metadata.items.other)' | tr -d '\t')" two
gcloud compute instances add-labels vm "${vm[@]}" --labels=tier=front
gcloud compute instances remove-labels vm "${vm[@]}" --labels=app
equal labels "$(gcloud compute instances describe vm --zone="$ZONE" --format='value(labels)')" tier=front
gcloud compute instances add-tags vm "${vm[@]}" --tags=web
equal tags "$(gcloud compute instances describe vm --zone="$ZONE" --format='value(tags.items)')" web

gcloud compute instances stop vm "${vm[@]}"
equal 'after stop' "$(gcloud compute instances describe vm --zone="$ZONE" --format='value(status)')" TERMINATED
equal 'the shutdown script' "$(gcloud storage cat "$B/last-words")" 'said by vm at its end'
gcloud compute instances set-machine-type vm "${vm[@]}" --machine-type=e2-small
gcloud compute images create of-disk-v1 --source-disk=vm --source-disk-zone="$ZONE" --family=of-disk
gcloud compute instances start vm "${vm[@]}"
equal 'after start' "$(gcloud compute instances describe vm --zone="$ZONE" --format='value(status,machineType.basename())')" "$(printf 'RUNNING\te2-small')"
wait_for 'the startup script, once more' says 'stage at startup: two'
refused 'being used' gcloud compute disks delete vm "${vm[@]}"
gcloud compute instances delete vm "${vm[@]}"
refused 'not found' gcloud compute instances describe vm --zone="$ZONE"
equal 'disks after delete' "$(gcloud compute disks list --format='value(name)' 2>/dev/null)" ''

truncate -s 1G disk.raw
printf 'first bytes' | dd of=disk.raw conv=notrunc status=none
tar --format=oldgnu -Sczf image.tar.gz disk.raw
gcloud storage cp image.tar.gz "$B/image.tar.gz"
gcloud compute images create imported-v1 --source-uri="$B/image.tar.gz" --family=imported
gcloud compute images create imported-v2 --source-uri="https://storage.googleapis.com/$PROJECT-scripts/image.tar.gz" --family=imported --labels=made-from=archive
equal 'the family' "$(gcloud compute images describe-from-family imported --format='value(name,status,diskSizeGb)')" "$(printf 'imported-v2\tREADY\t1')"
gcloud compute images deprecate imported-v2 --state=DEPRECATED --replacement=imported-v1
equal 'the family goes back' "$(gcloud compute images describe-from-family imported --format='value(name)')" imported-v1
equal 'without deprecated ones' "$(gcloud compute images list --no-standard-images --filter=family:imported --format='value(name)')" imported-v1
equal 'with them' "$(gcloud compute images list --no-standard-images --show-deprecated --filter=family:imported --format='value(name)' --sort-by=name)" $'imported-v1\nimported-v2'
gcloud compute images deprecate imported-v2 --state=ACTIVE
equal 'active again' "$(gcloud compute images describe-from-family imported --format='value(name)')" imported-v2
refused 'not found' gcloud compute images create nothing --source-uri="$B/no-such.tar.gz"
gcloud compute disks create from-image "${vm[@]}" --image=imported-v1 --size=2GB
equal 'the disk' "$(gcloud compute disks describe from-image --zone="$ZONE" --format='value(sizeGb,sourceImage.basename())')" "$(printf '2\timported-v1')"
gcloud compute disks delete from-image "${vm[@]}"
gcloud compute images delete imported-v1 imported-v2 of-disk-v1 --quiet
equal 'images after delete' "$(gcloud compute images list --no-standard-images --format='value(name)' 2>/dev/null)" ''
