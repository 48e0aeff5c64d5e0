#!/usr/bin/env bash
# In one VM: keys, startup scripts inline and of a bucket, a shutdown script; cloud-init with user data; google.auth.default() reads an object with nothing configured
. "$LIB"
project compute.googleapis.com iam.googleapis.com storage.googleapis.com
STORAGE=https://storage.googleapis.com COMPUTE=https://compute.googleapis.com/compute/v1/projects/$PROJECT B=$PROJECT-files
EMAIL=machine@$PROJECT.iam.gserviceaccount.com
object() { curl -sSf -X POST -H "Authorization: Bearer $(owner_token)" --data-binary "$2" "$STORAGE/upload/storage/v1/b/$B/o?uploadType=media&name=$1" >/dev/null; }
api POST "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts" '{"accountId":"machine"}' >/dev/null
api POST "$STORAGE/storage/v1/b?project=$PROJECT" "{\"name\":\"$B\",\"iamConfiguration\":{\"uniformBucketLevelAccess\":{\"enabled\":true}}}" >/dev/null
api PUT "$STORAGE/storage/v1/b/$B/iam" "{\"bindings\":[{\"role\":\"roles/storage.objectAdmin\",\"members\":[\"serviceAccount:$EMAIL\"]}]}" >/dev/null
object note.txt 'from the bucket'
object startup.sh $'#!/bin/sh\necho "script of the bucket, as $(id -un)" >/run/of-bucket\n'

# The image: a base image of the baker with these packages, as a user's config asks for them. It reaches Debian's archive as this machine does, not through the cloud.
mkdir stack
cat >stack/kiln.config.ts <<S
import { defineStack } from 'kiln'
export default defineStack({
  project: { id: '$PROJECT' },
  location: { region: '$REGION', zone: '$ZONE' },
  images: { guest: { debian: 'bookworm', packages: ['cloud-init', 'curl', 'python3-google-auth', 'python3-requests'] } },
})
S
env -u HTTPS_PROXY -u https_proxy -u HTTP_PROXY -u http_proxy -u NODE_OPTIONS -u SSL_CERT_FILE "$KILN" bake guest --yes --stack stack

ssh-keygen -q -t ed25519 -N '' -C ada -f key
cat >user-data <<'S'
#cloud-config
write_files:
  - path: /srv/of-cloud-init
    content: written by cloud-init
runcmd:
  - [sh, -c, 'echo "run as $(id -un)" >/srv/runcmd']
S
cat >shutdown.sh <<S
#!/bin/sh
TOKEN=\$(curl -sf -H Metadata-Flavor:Google http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
curl -sSf -X POST -H "Authorization: Bearer \$TOKEN" --data "said by \$(hostname) at its end" '$STORAGE/upload/storage/v1/b/$B/o?uploadType=media&name=last-words' >/dev/null
S
item() { python3 -c 'import json, sys; print(json.dumps({"key": sys.argv[1], "value": sys.argv[2]}))' "$1" "$2"; }
ITEMS=$(item ssh-keys "ada:$(cat key.pub)"),$(item user-data "$(cat user-data)"),$(item shutdown-script "$(cat shutdown.sh)"),$(item startup-script-url "gs://$B/startup.sh")
ITEMS+=,$(item startup-script $'#!/bin/sh\necho "inline script, as $(id -un) on $(hostname)" >/run/inline\necho "said on the serial port"\n')
api GET "$COMPUTE/global/firewalls/default-allow-ssh" >/dev/null 2>&1 ||
  api POST "$COMPUTE/global/firewalls" '{"name":"default-allow-ssh","network":"global/networks/default","allowed":[{"IPProtocol":"tcp","ports":["22"]}],"sourceRanges":["0.0.0.0/0"]}' >/dev/null
cat >vm.json <<S
{"name":"inside","machineType":"zones/$ZONE/machineTypes/e2-small","metadata":{"items":[$ITEMS]},
 "serviceAccounts":[{"email":"$EMAIL","scopes":["https://www.googleapis.com/auth/cloud-platform"]}],
 "disks":[{"boot":true,"autoDelete":true,"initializeParams":{"sourceImage":"global/images/family/guest"}}],
 "networkInterfaces":[{"network":"global/networks/default","accessConfigs":[{"type":"ONE_TO_ONE_NAT"}]}]}
S
api POST "$COMPUTE/zones/$ZONE/instances" "$(cat vm.json)" >/dev/null
field() { api GET "$COMPUTE/zones/$ZONE/instances/inside" | sed -n "s/^ *\"$1\": \"\(.*\)\",*$/\1/p" | head -1; }
running() { [ "$(field status)" = RUNNING ]; }
wait_for 'the VM' running
ADDRESS=$(field natIP)
PORT=22
[ "$(id -u)" = 0 ] || PORT=10022
# A connection that ssh could not make (255) is made again: the guest agent and cloud-init start sshd anew while the machine comes up. What ssh said stays in the output.
inside() {
  local tries=0 code stdin=/dev/null
  [ "${1:-}" != - ] || { shift; cat >stdin; stdin=stdin; }
  while :; do
    code=0
    ssh -i key -p "$PORT" -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=60 "ada@$ADDRESS" "$@" <"$stdin" || code=$?
    tries=$((tries + 1))
    [ "$code" = 255 ] && [ "$tries" -lt 20 ] || return "$code"
    sleep 2
  done
}
wait_for 'the login of a key of the metadata' inside true
equal 'who' "$(inside 'id -un; sudo id -un')" $'ada\nroot'

wait_for 'the startup script' inside 'test -s /run/inline'
equal 'the startup script' "$(inside 'cat /run/inline')" 'inline script, as root on inside'
wait_for 'the startup script of the bucket' inside 'test -s /run/of-bucket'
equal 'the startup script of the bucket' "$(inside 'cat /run/of-bucket')" 'script of the bucket, as root'
contains 'the serial port' "$(api GET "$COMPUTE/zones/$ZONE/instances/inside/serialPort")" 'said on the serial port'

wait_for 'cloud-init' inside 'sudo cloud-init status | grep -qE "done|error"'
inside 'sudo cloud-init status --long'
equal 'the cloud that cloud-init found' "$(inside 'cloud-id')" gce
equal 'files of user data' "$(inside 'cat /srv/of-cloud-init')" 'written by cloud-init'
equal 'commands of user data' "$(inside 'cat /srv/runcmd')" 'run as root'
equal 'cloud-init' "$(inside 'sudo cloud-init status')" 'status: done'

equal 'google.auth.default()' "$(inside - "python3 - $B" <<'P'
import sys
import google.auth
from google.auth.transport.requests import AuthorizedSession
credentials, project = google.auth.default(scopes=['https://www.googleapis.com/auth/cloud-platform'])
answer = AuthorizedSession(credentials).get('https://storage.googleapis.com/storage/v1/b/%s/o/note.txt?alt=media' % sys.argv[1])
answer.raise_for_status()
print(project, credentials.service_account_email, answer.text)
P
)" "$PROJECT $EMAIL from the bucket"

api POST "$COMPUTE/zones/$ZONE/instances/inside/stop" >/dev/null
terminated() { [ "$(field status)" = TERMINATED ]; }
wait_for 'the end' terminated
equal 'the shutdown script' "$(curl -sSf -H "Authorization: Bearer $(owner_token)" "$STORAGE/storage/v1/b/$B/o/last-words?alt=media")" 'said by inside at its end'
api DELETE "$COMPUTE/zones/$ZONE/instances/inside" >/dev/null
