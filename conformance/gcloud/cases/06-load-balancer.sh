#!/usr/bin/env bash
# Health check, backend service with a managed group, URL map, proxy, forwarding rule; getHealth; what is in use is not deleted
. "$LIB"
project compute.googleapis.com
gcloud compute instance-templates create web --machine-type=e2-small --image-family=debian-12 --image-project=debian-cloud
gcloud compute instance-groups managed create web --zone="$ZONE" --template=web --size=0
gcloud compute instance-groups managed wait-until web --zone="$ZONE" --stable
gcloud compute health-checks create http web --port=8080 --request-path=/healthz
gcloud compute backend-services create web --global --protocol=HTTP --health-checks=web --load-balancing-scheme=EXTERNAL_MANAGED
gcloud compute backend-services add-backend web --global --instance-group=web --instance-group-zone="$ZONE"
gcloud compute backend-services get-health web --global
gcloud compute url-maps create web --default-service=web
gcloud compute target-http-proxies create web --url-map=web
gcloud compute forwarding-rules create web --global --target-http-proxy=web --ports=80 --load-balancing-scheme=EXTERNAL_MANAGED
ADDRESS=$(gcloud compute forwarding-rules describe web --global --format='value(IPAddress)')
PORT=80
[ "$(id -u)" = 0 ] || PORT=10080
equal 'without a healthy backend' "$(curl -s -o /dev/null -w '%{http_code}' "http://$ADDRESS:$PORT/")" 503
refused 'being used' gcloud compute backend-services delete web --global --quiet
gcloud compute forwarding-rules delete web --global --quiet
gcloud compute target-http-proxies delete web --quiet
gcloud compute url-maps delete web --quiet
gcloud compute backend-services delete web --global --quiet
gcloud compute health-checks delete web --quiet
gcloud compute instance-groups managed delete web --zone="$ZONE" --quiet
gcloud compute instance-templates delete web --quiet
