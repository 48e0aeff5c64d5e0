#!/usr/bin/env bash
# GitHub's token for an access token and an ID token of a service account; the credential file that is left opens a bucket by google-auth-library, and by gcloud where it is installed
. "$LIB"
. "$CLIENT/start.sh"
cp "$CASE/service-account.mjs" .
"$NODE" service-account.mjs
