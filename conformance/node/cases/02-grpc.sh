#!/usr/bin/env bash
# @google-cloud/secret-manager and @google-cloud/artifact-registry over gRPC: values, operations that are waited for, errors with their codes
. "$LIB"
project secretmanager.googleapis.com artifactregistry.googleapis.com
ln -s "$TOOLS/node/node_modules" node_modules
cp "$CASE/grpc.mjs" .
"$NODE" grpc.mjs
