#!/usr/bin/env bash
# keyrings.google-artifactregistry-auth gives pip and twine the token of whoever runs them: no password anywhere
. "$LIB"
. "$CLIENT/../pip/index.sh"
bin=$TOOLS/python-tools/bin
repository
file=$(wheel moshi-server 0.6.0)
"$bin/twine" upload --non-interactive --disable-progress-bar --repository-url "$REPOSITORY" "$file"
# pip before 23.1 asks the keyring only when it may ask a person too.
unset PIP_NO_INPUT
"$bin/pip" download --quiet --no-deps --dest got --index-url "https://oauth2accesstoken@$HOST/$PROJECT/pypi/simple/" moshi-server
cmp "$file" "got/$(basename "$file")"
