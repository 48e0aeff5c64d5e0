#!/usr/bin/env bash
# google-auth-library with an external_account file: as itself and as a service account; wrong audience, expired, alg none, unknown and rotated keys
. "$LIB"
. "$CLIENT/start.sh"
project iam.googleapis.com iamcredentials.googleapis.com sts.googleapis.com storage.googleapis.com cloudresourcemanager.googleapis.com
run_case workload-identity
