#!/usr/bin/env bash
# Google's libraries of a server's data and users, for Node: Firestore and Logging (gRPC), firebase-admin
# from: npm
set -e
. "$ROOT/conformance/npm.sh"
install_npm "$ROOT/conformance/firebase" firebase
