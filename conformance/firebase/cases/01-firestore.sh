#!/usr/bin/env bash
# @google-cloud/firestore over gRPC: documents, merges, transforms, preconditions, queries with cursors and counts, a missing index, transactions that race, batches
. "$LIB"
. "$CLIENT/start.sh"
project firestore.googleapis.com
api POST "https://firestore.googleapis.com/v1/projects/$PROJECT/databases?databaseId=(default)" '{"type":"FIRESTORE_NATIVE","locationId":"nam5"}' >/dev/null
run_case firestore
