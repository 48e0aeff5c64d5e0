#!/usr/bin/env bash
# @google-cloud/storage: buckets, uploads in one and in many parts, ranges, wrong checksums, generation preconditions, a race for one bucket name
. "$LIB"
project storage.googleapis.com
ln -s "$TOOLS/node/node_modules" node_modules
cp "$CASE/storage.mjs" .
"$NODE" storage.mjs
