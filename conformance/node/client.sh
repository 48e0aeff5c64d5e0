#!/usr/bin/env bash
# Google's client libraries for Node: Storage and Compute (REST), Secret Manager and Artifact Registry (gRPC), typed API clients, google-auth-library
# from: npm
set -e
. "$ROOT/conformance/npm.sh"
install_npm "$ROOT/conformance/node" node
