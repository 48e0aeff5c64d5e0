#!/usr/bin/env bash
# No token, a wrong one, one without the role: 401 and 403, loudly; a key file and a service account's token with the role work
. "$LIB"
. "$CLIENT/index.sh"
repository
upload "$(wheel moshi-server 0.3.0)"
get() { /usr/bin/python3 -m pip download -vv --no-deps --dest "got-$RANDOM" --index-url "$1" moshi-server; }
refused 401 get "https://$HOST/$PROJECT/pypi/simple/"
refused 401 get "$(index_as oauth2accesstoken ya29.wrong)"
reader=$(account reader)
refused 403 get "$(index_as oauth2accesstoken "$("$KILN" cloud token --as "$reader")")"
TWINE_PASSWORD=wrong refused 401 upload "$(wheel moshi-server 0.3.1)"
grant roles/artifactregistry.reader "serviceAccount:$reader"
get "$(index_as oauth2accesstoken "$("$KILN" cloud token --as "$reader")")" >/dev/null
# What print-settings puts into pip.conf for a key file.
key=$(api POST "https://iam.googleapis.com/v1/projects/-/serviceAccounts/$reader/keys" '{}' | sed -n 's/^ *"privateKeyData": "\(.*\)",*$/\1/p')
get "$(index_as _json_key_base64 "${key//=/%3D}")" >/dev/null
TWINE_USER=_json_key_base64 TWINE_PASSWORD=$key refused 403 upload "$(wheel moshi-server 0.3.2)"
