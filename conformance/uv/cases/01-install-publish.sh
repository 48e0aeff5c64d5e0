#!/usr/bin/env bash
# uv publishes, resolves by the metadata files alone, installs, and locks with hashes
. "$LIB"
. "$CLIENT/../pip/index.sh"
export UV_CACHE_DIR=$PWD/cache UV_PYTHON=/usr/bin/python3 UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never
uv=$TOOLS/python-tools/bin/uv
repository
UV_PUBLISH_USERNAME=oauth2accesstoken UV_PUBLISH_PASSWORD=$(owner_token) "$uv" publish --publish-url "$REPOSITORY" "$(wheel moshi-server 0.5.0)"
index=$(index_as oauth2accesstoken "$(owner_token)")
"$uv" venv --quiet env
"$uv" pip install --quiet --python env/bin/python --index-url "$index" moshi-server
equal 'the module' "$(env/bin/python -c 'import moshi_server; print(moshi_server.answer)')" 42
echo moshi-server >in.txt
"$uv" pip compile --quiet --generate-hashes --no-annotate --no-header --index-url "$index" in.txt >out.txt
contains 'the lock' "$(cat out.txt)" 'moshi-server==0.5.0'
contains 'the lock' "$(cat out.txt)" '--hash=sha256:'
# uv stops at the first index that has the name, also when it answers 401.
refused 401 "$uv" pip install --python env/bin/python --reinstall --no-cache --index-url "https://$HOST/$PROJECT/pypi/simple/" moshi-server
