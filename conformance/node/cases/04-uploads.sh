#!/usr/bin/env bash
# @google-cloud/storage: an upload broken off and resumed, an offset with a hole, wrong CRC32C, compose, copy, move, prefixes and names of every kind, versions, metadata races
. "$LIB"
. "$CLIENT/start.sh"
project storage.googleapis.com
run_case uploads
