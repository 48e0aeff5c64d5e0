#!/usr/bin/env bash
# @google-cloud/secret-manager and @google-cloud/artifact-registry over gRPC: values, operations that are waited for, errors with their codes
. "$LIB"
. "$CLIENT/start.sh"
project secretmanager.googleapis.com artifactregistry.googleapis.com
run_case grpc
