#!/usr/bin/env bash
# Another repository, another branch, a fork's pull request, another audience, a pool that is switched off, a runner without permission: refused, and the message names the claim
. "$LIB"
. "$CLIENT/start.sh"
cp "$CASE/refused.mjs" .
"$NODE" refused.mjs
