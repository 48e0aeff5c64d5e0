#!/usr/bin/env bash
# @googleapis/cloudresourcemanager, iam and serviceusage: typed calls, and clients that change one policy at a time, are told of each other and all succeed by trying again
. "$LIB"
. "$CLIENT/start.sh"
project iam.googleapis.com cloudresourcemanager.googleapis.com
run_case typed
