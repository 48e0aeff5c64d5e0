#!/usr/bin/env bash
# google-auth-library: the owner, a key file, a JWT that a key signs for itself, an account by impersonation, an ID token for an audience; a deleted key is refused; signed URLs open nothing
. "$LIB"
. "$CLIENT/start.sh"
project iam.googleapis.com iamcredentials.googleapis.com storage.googleapis.com
EMAIL=robot-one@$PROJECT.iam.gserviceaccount.com
api POST "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts" '{"accountId":"robot-one"}' >/dev/null
api POST "https://iam.googleapis.com/v1/projects/-/serviceAccounts/$EMAIL/keys" '{}' | sed -n 's/^ *"privateKeyData": "\(.*\)",*$/\1/p' | base64 -d >key.json
export EMAIL
run_case auth
