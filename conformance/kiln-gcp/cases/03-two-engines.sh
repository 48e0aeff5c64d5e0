#!/usr/bin/env bash
# Two engines, one result: every section of the config by the direct engine and by real Terraform, in two data folders; then both clouds are dumped whole, and are the same but for a list
. "$LIB"
. "$CLIENT/stack.sh"
example "$(cat "$CLIENT/sections.sed")"
export SPEECH_KEY=not-really-a-key GOOGLE_CLIENT_SECRET=nor-this
mkdir dumps
unset OWNER_TOKEN

end() { KILN_HOME=$PWD/direct "$KILN" cloud reset --yes >/dev/null 2>&1 || true; KILN_HOME=$PWD/terraform "$KILN" cloud reset --yes >/dev/null 2>&1 || true; }
trap end EXIT
for engine in direct terraform; do
  export KILN_HOME=$PWD/$engine
  "$KILN" cloud start >/dev/null
  "$KILN" cloud exec --project "$PROJECT" -- bash "$CLIENT/one-engine.sh" "$engine"
  "$NODE" -e 'new (require("node:sqlite").DatabaseSync)(process.argv[1]).prepare("VACUUM INTO ?").run(process.argv[2])' "$KILN_HOME/cloud/cloud.db" "$PWD/dumps/$engine.db"
done
"$NODE" "$CLIENT/compare.mjs" dumps/direct.db dumps/terraform.db
