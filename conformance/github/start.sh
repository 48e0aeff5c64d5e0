# Sourced by every case: `. "$CLIENT/start.sh"` after lib.sh. A project, the files of a runner, and the modules.
project iam.googleapis.com iamcredentials.googleapis.com sts.googleapis.com storage.googleapis.com cloudresourcemanager.googleapis.com
ln -s "$TOOLS/github/node_modules" node_modules
cp "$CLIENT/github.mjs" "$CLIENT/action.mjs" .
mkdir workspace
: >github-env >github-output
export GITHUB_WORKSPACE=$PWD/workspace GITHUB_ENV=$PWD/github-env GITHUB_OUTPUT=$PWD/github-output
