#!/usr/bin/env bash
# A group of one behind a domain of its own: zone, record, managed certificate, https, and plain requests sent there; a second up changes nothing, destroy leaves nothing
. "$LIB"
. "$CLIENT/stack.sh"
project serviceusage.googleapis.com cloudresourcemanager.googleapis.com iam.googleapis.com storage.googleapis.com compute.googleapis.com artifactregistry.googleapis.com dns.googleapis.com
example "s/size: 2,/size: 1, domains: ['app.chatmoshi.test'],/" "s/^  dev: .*/  dns: { zone: 'chatmoshi.test' },/"
made=$(on_google up --yes --json)
address=$(field url "$made" | sed 's,^http://,,; s,:.*,,')
contains 'the record' "$(api GET "https://dns.googleapis.com/dns/v1/projects/$PROJECT/managedZones/zone-chatmoshi-test/rrsets?name=app.chatmoshi.test.&type=A" | sed -n '/"rrdatas"/,/]/p' | tr -d ' \n')" "\"rrdatas\":[\"$address\"]"
# Ports below 1024 are root's.
PORT=443 PLAIN=80
[ "$(id -u)" = 0 ] || PORT=10443 PLAIN=10080
ask() { curl -sS --noproxy '*' --max-time 20 --resolve "app.chatmoshi.test:$PORT:$address" --resolve "app.chatmoshi.test:$PLAIN:$address" "$@"; }
contains 'over https' "$(ask --fail "https://app.chatmoshi.test:$PORT/version")" '"0.1.0"'
contains 'plain requests' "$(ask -o /dev/null -w '%{http_code} %{redirect_url}' "http://app.chatmoshi.test:$PLAIN/version?a=b")" '301 https://app.chatmoshi.test'
equal 'a second up' "$(field changes "$(on_google up --yes --json)")" 0
on_google status --healthy >/dev/null
on_google destroy --yes >/dev/null
nothing_left
