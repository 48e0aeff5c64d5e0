#!/usr/bin/env bash
# Without Kiln, by ops/tools.mk alone: bootstrap, Terraform, twine, both images by Packer, then everything; the server image boots and answers, with what the offline bake puts there
. "$LIB"
. "$CLIENT/stack.sh"
for tool in gcloud twine; do command -v "$tool" >/dev/null || skip "$tool is not installed here"; done
/usr/bin/python3 -c 'import setuptools, wheel, pip' 2>/dev/null || skip 'python3-pip, python3-setuptools or python3-wheel is not installed here'
synthesise
rm -f ops/packer/plugins.pkr.hcl # Debian's Packer has the builder built in, and does not know `required_plugins`
export PYTHON=/usr/bin/python3 PIP_NO_BUILD_ISOLATION=0 PIP_NO_INDEX=1 TF=-auto-approve
by() { make --no-print-directory -f ops/tools.mk "PROJECT=$PROJECT" "PYTHON=$PYTHON" "$@"; }
by bootstrap
by bootstrap # safe to repeat
terraform -chdir=ops/terraform init -no-color -input=false -backend-config=state.gcs.tfbackend >/dev/null
by apply-base TF='-auto-approve -no-color' | tail -3
by publish
by bake-base | tail -3
by bake VERSION=0.1.0 | tail -3
by dev TF='-auto-approve -no-color' | tail -12
address=$(gcloud compute instances describe moshi-dev --zone "$ZONE" --project "$PROJECT" --format='value(networkInterfaces[0].accessConfigs[0].natIP)')
wait_for 'the server' curl -sf -o /dev/null --max-time 5 "http://$address:8080/healthz"
contains 'the version' "$(curl -sf "http://$address:8080/version")" '"0.1.0"'
look() { gcloud compute ssh moshi-dev --project "$PROJECT" --zone "$ZONE" --quiet --command "$1"; }
look true >/dev/null # the first call makes a key, and says so on stdout
equal 'the account' "$(look 'getent passwd moshi | cut -d: -f1,3,6,7')" 'moshi:880:/var/lib/moshi:/usr/sbin/nologin'
equal 'the unit' "$(look 'cat /etc/systemd/system/moshi-srv.service')" "$(sed 1d ops/packer/moshi-srv/moshi-srv.service)"
equal 'the file' "$(look 'stat -c %a /opt/moshi/entrypoint.sh; cat /opt/moshi/entrypoint.sh')" "$(echo 755; cat entrypoint.sh)"
contains 'the package' "$(look 'ls /opt/moshi-srv/venv/lib/python3.11/site-packages')" moshi_server-0.1.0.dist-info
equal 'what is left of the bake' "$(look 'ls /tmp/kiln-* /opt/moshi-srv/venv/bin/pip 2>/dev/null || true')" ''
