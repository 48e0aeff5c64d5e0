#!/usr/bin/env bash
# firebase-admin: users made, listed, signed in by password as a browser does; ID tokens, custom tokens and claims; revoked and disabled users are refused; its Firestore
. "$LIB"
. "$CLIENT/start.sh"
project identitytoolkit.googleapis.com firestore.googleapis.com iam.googleapis.com iamcredentials.googleapis.com
api POST "https://identitytoolkit.googleapis.com/v2/projects/$PROJECT/identityPlatform:initializeAuth" '{}' >/dev/null
api PATCH "https://identitytoolkit.googleapis.com/v2/projects/$PROJECT/config?updateMask=signIn.email" '{"signIn":{"email":{"enabled":true,"passwordRequired":true}}}' >/dev/null
api POST "https://firestore.googleapis.com/v1/projects/$PROJECT/databases?databaseId=(default)" '{"type":"FIRESTORE_NATIVE","locationId":"nam5"}' >/dev/null
api POST "https://iam.googleapis.com/v1/projects/$PROJECT/serviceAccounts" '{"accountId":"server"}' >/dev/null
API_KEY=$(api GET "https://identitytoolkit.googleapis.com/v2/projects/$PROJECT/config" | sed -n 's/^ *"apiKey": "\(.*\)",*$/\1/p')
SERVER=server@$PROJECT.iam.gserviceaccount.com
export API_KEY SERVER
run_case admin
