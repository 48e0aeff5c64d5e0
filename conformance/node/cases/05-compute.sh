#!/usr/bin/env bash
# @google-cloud/compute (REST, with agents of its own): zones, address, disk, image, aggregated lists, operations that are waited for, errors with their codes
. "$LIB"
. "$CLIENT/start.sh"
project compute.googleapis.com
run_case compute
