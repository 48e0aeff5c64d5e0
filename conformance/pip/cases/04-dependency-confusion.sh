#!/usr/bin/env bash
# A public package of the same name and a higher version never wins while the private index is the only index
. "$LIB"
. "$CLIENT/index.sh"
repository
upload "$(wheel moshi-server 0.4.0)"
evil=$(wheel moshi-server 99.0.0 'answer = "stolen"')
mkdir -p public/simple/moshi-server
cp "$evil" public/simple/moshi-server/
printf '<a href="%s">%s</a>\n' "$(basename "$evil")" "$(basename "$evil")" >public/simple/moshi-server/index.html
cat >serve.py <<'P'
import functools, http.server, pathlib
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory="public"))
pathlib.Path("port").write_text(str(server.server_port))
server.serve_forever()
P
/usr/bin/python3 serve.py >server.log 2>&1 &
trap 'kill $!' EXIT
wait_for 'the public index' test -s port
port=$(cat port)
# Without a token the name is not looked for anywhere else: the answer is a refusal, not "try the next index".
refused 401 /usr/bin/python3 -m pip download -vv --no-deps --dest none --index-url "https://$HOST/$PROJECT/pypi/simple/" moshi-server
/usr/bin/python3 -m pip download --quiet --no-deps --dest got --index-url "$(index_as oauth2accesstoken "$(owner_token)")" moshi-server
equal 'with the private index alone' "$(ls got)" moshi_server-0.4.0-py3-none-any.whl
# The trap itself, for comparison: with a second index pip takes the higher version, whoever made it.
/usr/bin/python3 -m pip download --quiet --no-deps --dest trap --index-url "$(index_as oauth2accesstoken "$(owner_token)")" --extra-index-url "http://127.0.0.1:$port/simple/" moshi-server
equal 'with a second index' "$(ls trap)" moshi_server-99.0.0-py3-none-any.whl
# A name that the private index does not have is an error there, not a question to others.
refused 'No matching distribution' /usr/bin/python3 -m pip download --no-deps --dest none --index-url "$(index_as oauth2accesstoken "$(owner_token)")" requests
