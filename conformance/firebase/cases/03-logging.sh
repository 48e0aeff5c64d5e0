#!/usr/bin/env bash
# @google-cloud/logging over gRPC: entries written, listed by filter and order, logs listed and deleted
. "$LIB"
. "$CLIENT/start.sh"
project logging.googleapis.com
run_case logging
