#!/usr/bin/env bash
# gcloud, as it is installed on this machine
# from: machine
command -v gcloud >/dev/null || { echo 'gcloud is not installed here'; exit 77; }
gcloud version 2>/dev/null | head -1
