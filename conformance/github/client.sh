#!/usr/bin/env bash
# The exchange of google-github-actions/auth v3, with the libraries that the action is made of, and a stand-in for GitHub on loopback
# from: npm
set -e
. "$ROOT/conformance/npm.sh"
install_npm "$ROOT/conformance/github" github
