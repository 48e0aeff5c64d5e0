#!/usr/bin/env bash
# Objects up and down, small and in one long request, ranges, listings, deletes
. "$LIB"
project storage.googleapis.com
B=gs://$PROJECT-data
gcloud storage buckets create "$B" --location=us
equal describe "$(gcloud storage buckets describe "$B" --format='value(location)')" US
echo 'a small file' >small.txt
head -c 12582912 /dev/urandom >large.bin
gcloud storage cp small.txt "$B/folder/small.txt"
gcloud storage cp large.bin "$B/large.bin"
gcloud storage cp "$B/large.bin" back.bin
cmp large.bin back.bin
equal range "$(gcloud storage cat --range=2-6 "$B/folder/small.txt")" small
contains ls "$(gcloud storage ls "$B")" "$B/folder/"
equal 'ls folder' "$(gcloud storage ls "$B/folder/")" "$B/folder/small.txt"
refused ALREADY_EXISTS gcloud storage buckets create "$B"
gcloud storage rm --recursive "$B"
refused 'not found' gcloud storage buckets describe "$B"
