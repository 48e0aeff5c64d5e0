#!/usr/bin/env bash
# Networks, firewall rules, addresses, and the lists of the catalogue; images of all public projects in one batch request
. "$LIB"
project compute.googleapis.com
gcloud compute networks create net --subnet-mode=custom
gcloud compute networks subnets create sub --network=net --region="$REGION" --range=10.9.0.0/24
gcloud compute firewall-rules create web --network=net --allow=tcp:80,tcp:443 --source-ranges=0.0.0.0/0
gcloud compute firewall-rules update web --allow=tcp:80
equal 'firewall' "$(gcloud compute firewall-rules describe web --format='value(allowed[0].ports)')" 80
gcloud compute addresses create front --global
contains 'address' "$(gcloud compute addresses describe front --global --format='value(address)')" .
contains 'zones' "$(gcloud compute zones list --format='value(name)')" "$ZONE"
contains 'machine types' "$(gcloud compute machine-types list --zones="$ZONE" --format='value(name)')" e2-small
contains 'images' "$(gcloud compute images list --format='value(family)')" debian-12
refused 'being used' gcloud compute networks delete net --quiet
gcloud compute firewall-rules delete web --quiet
gcloud compute networks subnets delete sub --region="$REGION" --quiet
gcloud compute networks delete net --quiet
gcloud compute addresses delete front --global --quiet
