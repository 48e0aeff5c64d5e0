#!/usr/bin/env bash
# A Firestore database, secrets with versions, DNS zones and record sets
. "$LIB"
project firestore.googleapis.com secretmanager.googleapis.com dns.googleapis.com
gcloud firestore databases create --location=nam5
contains databases "$(gcloud firestore databases list --format='value(locationId)')" nam5
printf 'value' >secret.txt
gcloud secrets create key --data-file=secret.txt
equal 'the secret' "$(gcloud secrets versions access latest --secret=key)" value
gcloud dns managed-zones create zone --dns-name=chatmoshi.test. --description=zone
gcloud dns record-sets create dev.chatmoshi.test. --zone=zone --type=A --ttl=300 --rrdatas=192.0.2.1
equal 'the record' "$(gcloud dns record-sets list --zone=zone --name=dev.chatmoshi.test. --format='value(DATA)')" 192.0.2.1
gcloud dns record-sets delete dev.chatmoshi.test. --zone=zone --type=A
gcloud dns managed-zones delete zone
gcloud secrets delete key --quiet
