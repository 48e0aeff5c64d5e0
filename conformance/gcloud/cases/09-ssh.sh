#!/usr/bin/env bash
# gcloud compute ssh runs commands in a VM with a key that it makes itself, and gcloud compute scp carries files both ways
. "$LIB"
command -v ssh >/dev/null && command -v scp >/dev/null || skip 'no ssh and scp on this machine'
project compute.googleapis.com
gcloud compute firewall-rules describe default-allow-ssh --format='value(name)' 2>/dev/null || gcloud compute firewall-rules create default-allow-ssh --allow=tcp:22
gcloud compute instances create vm --zone="$ZONE" --machine-type=e2-micro --image-family=debian-12 --image-project=debian-cloud
there() { gcloud compute ssh vm --zone="$ZONE" --quiet "$@"; }
wait_for 'the first login' there --command=true
contains 'uname -a' "$(there -- uname -a)" Linux
equal 'the name' "$(there --command=hostname)" vm
equal 'exit codes come through' "$(there --command='exit 7' >/dev/null 2>&1 || echo $?)" 7
there --command='sudo id -un' | grep -qx root
head -c 300000 /dev/urandom >up.bin
mkdir folder && echo one >folder/one.txt && echo two >folder/two.txt
gcloud compute scp up.bin vm:/tmp/up.bin --zone="$ZONE" --quiet
gcloud compute scp --recurse folder vm:/tmp/folder --zone="$ZONE" --quiet
equal 'the folder there' "$(there --command='cat /tmp/folder/one.txt /tmp/folder/two.txt')" $'one\ntwo'
gcloud compute scp vm:/tmp/up.bin down.bin --zone="$ZONE" --quiet
cmp up.bin down.bin
contains 'dry run' "$(there --dry-run)" ssh
# The key stands in the metadata of the project, where the guest agent reads it.
contains 'the key' "$(gcloud compute project-info describe --format='value(commonInstanceMetadata.items.ssh-keys)')" ssh-rsa
gcloud compute instances delete vm --zone="$ZONE" --quiet
