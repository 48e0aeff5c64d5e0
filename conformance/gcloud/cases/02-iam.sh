#!/usr/bin/env bash
# Service accounts with keys and signatures, policies, custom roles, workload identity pools; a 403 says which role has the permission
. "$LIB"
project iam.googleapis.com iamcredentials.googleapis.com storage.googleapis.com sts.googleapis.com
gcloud iam service-accounts create robot-one --display-name 'Robot one'
EMAIL=robot-one@$PROJECT.iam.gserviceaccount.com
equal 'describe' "$(gcloud iam service-accounts describe "$EMAIL" --format='value(displayName)')" 'Robot one'
gcloud iam service-accounts keys create key.json --iam-account="$EMAIL"
refused 'roles/storage' env CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE=key.json CLOUDSDK_CONFIG="$PWD/robot" gcloud storage buckets create "gs://$PROJECT-data"
gcloud projects add-iam-policy-binding "$PROJECT" --member="serviceAccount:$EMAIL" --role=roles/storage.admin >/dev/null
contains 'policy' "$(gcloud projects get-iam-policy "$PROJECT" --flatten='bindings[].members' --filter='bindings.role=roles/storage.admin' --format='value(bindings.members)')" "$EMAIL"
CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE=key.json CLOUDSDK_CONFIG=$PWD/robot gcloud storage buckets create "gs://$PROJECT-data"
contains 'roles describe' "$(gcloud iam roles describe roles/artifactregistry.reader --format='value(includedPermissions)')" artifactregistry.repositories.downloadArtifacts
gcloud iam roles create packageReader --project "$PROJECT" --title 'Reads packages' --permissions artifactregistry.repositories.get >/dev/null
equal 'custom role' "$(gcloud iam roles describe packageReader --project "$PROJECT" --format='value(title)')" 'Reads packages'
gcloud iam workload-identity-pools create ci-pool --location=global --display-name CI
gcloud iam workload-identity-pools providers create-oidc github --location=global --workload-identity-pool=ci-pool --issuer-uri=https://token.actions.githubusercontent.com --attribute-mapping='google.subject=assertion.sub,attribute.repository_id=assertion.repository_id' --attribute-condition="assertion.repository_id == '1'"
contains 'pool' "$(gcloud iam workload-identity-pools describe ci-pool --location=global --format='value(name)')" /workloadIdentityPools/ci-pool
POOL=$(gcloud iam workload-identity-pools describe ci-pool --location=global --format='value(name)')
gcloud iam service-accounts add-iam-policy-binding "$EMAIL" --role=roles/iam.workloadIdentityUser --member="principalSet://iam.googleapis.com/$POOL/attribute.repository_id/1" >/dev/null
contains 'impersonation' "$(gcloud storage ls --impersonate-service-account="$EMAIL" 2>/dev/null)" "gs://$PROJECT-data/"
printf 'to sign' >blob
gcloud iam service-accounts sign-blob --iam-account="$EMAIL" blob signature
[ "$(wc -c <signature)" = 256 ] || { echo 'a signature of a 2048-bit key has 256 bytes' >&2; exit 1; }
printf '{"sub":"%s","aud":"https://a.example"}' "$EMAIL" >claims.json
gcloud iam service-accounts sign-jwt --iam-account="$EMAIL" claims.json jwt
equal 'signed claims' "$(python3 -c 'import base64; print(base64.urlsafe_b64decode(open("jwt").read().split(".")[1] + "==").decode())')" "$(cat claims.json)"
KEY=$(sed -n 's/^ *"private_key_id": "\(.*\)",*$/\1/p' key.json)
contains 'keys list' "$(gcloud iam service-accounts keys list --iam-account="$EMAIL" --managed-by=user --format='value(name.basename())')" "$KEY"
gcloud iam service-accounts keys delete "$KEY" --iam-account="$EMAIL"
refused 'invalid_grant' env CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE=key.json CLOUDSDK_CONFIG="$PWD/after" gcloud storage ls
contains 'identity token' "$(gcloud auth print-identity-token --impersonate-service-account="$EMAIL" --audiences=https://a.example 2>/dev/null)" .
