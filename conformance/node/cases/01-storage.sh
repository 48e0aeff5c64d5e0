#!/usr/bin/env bash
# @google-cloud/storage: buckets, uploads in one and in many parts, ranges, wrong checksums, generation preconditions, a race for one bucket name
. "$LIB"
. "$CLIENT/start.sh"
project storage.googleapis.com
run_case storage
