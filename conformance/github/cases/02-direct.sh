#!/usr/bin/env bash
# Without a service account: the repository itself has a role, and its credential file opens a bucket
. "$LIB"
. "$CLIENT/start.sh"
cp "$CASE/direct.mjs" .
"$NODE" direct.mjs
