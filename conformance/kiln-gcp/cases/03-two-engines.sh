#!/usr/bin/env bash
# Two engines, one result: the same config, with every section, by the direct engine and by real Terraform, in two data folders; then both clouds are dumped whole and are the same, apart from a list
. "$LIB"
. "$CLIENT/stack.sh"
example "$(cat "$CLIENT/sections.sed")"
export SPEECH_KEY=not-really-a-key GOOGLE_CLIENT_SECRET=nor-this
mkdir dumps

# dump NAME: a copy of the cloud's database, then its end.
dump() {
  "$NODE" -e 'new (require("node:sqlite").DatabaseSync)(process.argv[1], { readOnly: true }).exec(`VACUUM INTO "${process.argv[2]}"`)' "$KILN_HOME/cloud/cloud.db" "$PWD/dumps/$1.db"
}
end() { for home in direct terraform; do [ ! -d "$home" ] || KILN_HOME=$PWD/$home "$KILN" cloud reset --yes >/dev/null 2>&1 || true; done; }
trap end EXIT

export KILN_HOME=$PWD/direct
"$KILN" up stack --yes --json >direct.json 2>up.log || { tail -40 up.log >&2; exit 1; }
dump direct
"$KILN" cloud reset --yes >/dev/null
# what was baked is the same: it need not be made again
mkdir terraform && mv direct/cache terraform/cache
export KILN_HOME=$PWD/terraform
"$KILN" cloud start >/dev/null
"$KILN" cloud exec --project "$PROJECT" -- "$KILN" up stack --target gcp --yes --json >terraform.json 2>up.log || { tail -40 up.log >&2; exit 1; }
dump terraform
for name in release image imageDigest package version; do equal "$name" "$(field "$name" "$(cat terraform.json)")" "$(field "$name" "$(cat direct.json)")"; done
"$NODE" "$CLIENT/compare.mjs" dumps/direct.db dumps/terraform.db
