#!/usr/bin/env bash
# A managed group of real VMs: stable, healed, resized, replaced by a rolling action; a load balancer calls them healthy and hands their answers out
. "$LIB"
project compute.googleapis.com
cat >serve.sh <<'S'
#!/bin/sh
# Without the name of this VM nobody could tell who answered.
mkdir -p /srv/www && hostname >/srv/www/index.html
cd /srv/www && exec python3 -m http.server 8080
S
template() {
  gcloud compute instance-templates create "$1" --machine-type=e2-micro --image-family=debian-12 --image-project=debian-cloud --metadata-from-file=startup-script=serve.sh --tags=web --labels=stage="$2"
}
zone=(--zone="$ZONE" --quiet)
managed=(gcloud compute instance-groups managed)
members() { "${managed[@]}" list-instances web --zone="$ZONE" --format="value($1)" --sort-by=name; }
template web-one one
gcloud compute firewall-rules create web --allow=tcp:8080 --target-tags=web --source-ranges=130.211.0.0/22,35.191.0.0/16
"${managed[@]}" create web "${zone[@]}" --template=web-one --size=1 --base-instance-name=web
"${managed[@]}" wait-until web "${zone[@]}" --stable
"${managed[@]}" set-named-ports web "${zone[@]}" --named-ports=http:8080
equal describe "$("${managed[@]}" describe web --zone="$ZONE" --format='value(targetSize,status.isStable,instanceTemplate.basename())')" "$(printf '1\tTrue\tweb-one')"
equal 'list-instances' "$(members 'instanceStatus,currentAction')" "$(printf 'RUNNING\tNONE')"
FIRST=$(members 'instance.basename()')

gcloud compute health-checks create http web --port=8080 --check-interval=5s --timeout=5s --healthy-threshold=1
gcloud compute backend-services create web --global --protocol=HTTP --port-name=http --health-checks=web --load-balancing-scheme=EXTERNAL_MANAGED
gcloud compute backend-services add-backend web --global --instance-group=web --instance-group-zone="$ZONE"
gcloud compute url-maps create web --default-service=web
gcloud compute target-http-proxies create web --url-map=web
gcloud compute forwarding-rules create web --global --target-http-proxy=web --ports=80 --load-balancing-scheme=EXTERNAL_MANAGED
ADDRESS=$(gcloud compute forwarding-rules describe web --global --format='value(IPAddress)')
PORT=80
[ "$(id -u)" = 0 ] || PORT=10080
states() { gcloud compute backend-services get-health web --global --flatten='status.healthStatus[]' --format='value(status.healthStatus.healthState)'; }
# By curl while waiting: gcloud takes seconds to start.
all_healthy() {
  local group=https://compute.googleapis.com/compute/v1/projects/$PROJECT/zones/$ZONE/instanceGroups/web
  [ "$(api POST "https://compute.googleapis.com/compute/v1/projects/$PROJECT/global/backendServices/web/getHealth" "{\"group\":\"$group\"}" | grep -c '"healthState": "HEALTHY"')" = "$1" ]
}
wait_for 'HEALTHY' all_healthy 1
equal 'get-health' "$(states)" HEALTHY
wait_for 'an answer' curl -sf -o /dev/null --max-time 5 "http://$ADDRESS:$PORT/"
equal 'the answer' "$(curl -sf "http://$ADDRESS:$PORT/")" "$FIRST"

# The group makes its machine anew under the same name.
BEFORE=$(gcloud compute instances describe "$FIRST" --zone="$ZONE" --format='value(id)')
"${managed[@]}" recreate-instances web "${zone[@]}" --instances="$FIRST"
"${managed[@]}" wait-until web "${zone[@]}" --stable
AFTER=$(gcloud compute instances describe "$FIRST" --zone="$ZONE" --format='value(id)')
[ "$BEFORE" != "$AFTER" ] || { echo "$FIRST is still the same machine" >&2; exit 1; }

template web-two two
"${managed[@]}" set-instance-template web "${zone[@]}" --template=web-two
"${managed[@]}" rolling-action replace web "${zone[@]}" --max-surge=1 --max-unavailable=0
"${managed[@]}" wait-until web "${zone[@]}" --stable
"${managed[@]}" wait-until web "${zone[@]}" --version-target-reached
equal 'the template' "$(members 'version.instanceTemplate.basename(),instanceStatus')" "$(printf 'web-two\tRUNNING')"
SECOND=$(members 'instance.basename()')
[ "$FIRST" != "$SECOND" ] || { echo 'a replaced machine has a new name' >&2; exit 1; }
equal 'the label' "$(gcloud compute instances describe "$SECOND" --zone="$ZONE" --format='value(labels.stage)')" two
"${managed[@]}" resize web "${zone[@]}" --size=2
"${managed[@]}" wait-until web "${zone[@]}" --stable
equal 'after resize' "$(members 'instanceStatus')" $'RUNNING\nRUNNING'
wait_for 'both HEALTHY' all_healthy 2
equal 'get-health of both' "$(states)" $'HEALTHY\nHEALTHY'
wait_for "an answer of $SECOND" bash -c "curl -sf --max-time 5 http://$ADDRESS:$PORT/ | grep -qx $SECOND"
equal 'the groups' "$("${managed[@]}" list --format='value(name,targetSize)')" "$(printf 'web\t2')"
refused 'being used' gcloud compute instance-templates delete web-two --quiet

gcloud compute forwarding-rules delete web --global --quiet
gcloud compute target-http-proxies delete web --quiet
gcloud compute url-maps delete web --quiet
gcloud compute backend-services delete web --global --quiet
gcloud compute health-checks delete web --quiet
"${managed[@]}" delete web "${zone[@]}"
gcloud compute instance-templates delete web-one web-two --quiet
equal 'VMs at the end' "$(gcloud compute instances list --format='value(name)' 2>/dev/null)" ''
