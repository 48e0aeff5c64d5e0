#!/usr/bin/env bash
# The generated workflows' jobs, step by step on a machine with nothing: GitHub's token for the deploying account, publish, bake, deploy, verify, and the rollback; no key anywhere; another repository's token gets nowhere
. "$LIB"
. "$CLIENT/stack.sh"
. "$ROOT/conformance/npm.sh"
install_npm "$ROOT/conformance/github" github >/dev/null
example "s/github: { repository: 'OWNER\/moshi'/github: { repository: 'moshi\/server', repositoryId: '424242'/" 's/^    size: 2,/    size: 1,/'
on_google up --yes --json >up.json
# what the runner would fetch from Debian again, it need not
mkdir -p runner/kiln workspace
cp -al "$KILN_HOME/cache" runner/kiln/cache
rm -rf runner/kiln/cache/terraform-providers
ln -s "$TOOLS/github/node_modules" node_modules
cp "$ROOT/conformance/github/github.mjs" "$ROOT/conformance/github/action.mjs" "$CLIENT/job.mjs" "$CLIENT/deliver-job.mjs" .
: >github-env >github-output
export GITHUB_WORKSPACE=$PWD/workspace GITHUB_ENV=$PWD/github-env GITHUB_OUTPUT=$PWD/github-output
"$NODE" deliver-job.mjs
equal 'the ledger' "$(on_google releases --json | "$NODE" -e 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8")).releases.map((row) => `${row.number} ${row.version} ${row.who} ${row.commit ?? "-"}`).join("\n"))' | sed 2q)" \
  "3 0.1.0 octo (moshi/server, run 7 of deliver) -
2 0.2.0 octo (moshi/server, run 7 of deliver) 9a49b3d6f8e06b4a5d2bd7ca4ba2df2a2a0c2ee9"
[ ! -e runner/kiln/cloud/daemon.json ] || { echo 'the runner started a pocket cloud' >&2; exit 1; }
on_google destroy --yes >/dev/null
