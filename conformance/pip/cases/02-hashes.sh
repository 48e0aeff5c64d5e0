#!/usr/bin/env bash
# pip in hash-checking mode takes the file with the right hash and refuses any other
. "$LIB"
. "$CLIENT/index.sh"
repository
file=$(wheel moshi-server 0.2.0)
upload "$file"
index=$(index_as oauth2accesstoken "$(owner_token)")
echo "moshi-server==0.2.0 --hash=sha256:$(sha256sum "$file" | cut -d' ' -f1)" >right.txt
/usr/bin/python3 -m pip install --quiet --target site --require-hashes --index-url "$index" -r right.txt
echo "moshi-server==0.2.0 --hash=sha256:$(printf '0%.0s' $(seq 64))" >wrong.txt
refused 'DO NOT MATCH THE HASHES' /usr/bin/python3 -m pip install --target other --require-hashes --index-url "$index" -r wrong.txt
