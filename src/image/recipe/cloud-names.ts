/**
 * How a machine learns its own name from its metadata, and names and trust from a cloud that has its own: two entries of the metadata server that Google does not
 * have (`kiln/hosts`, lines for the hosts file, and `kiln/trust`, authorities in PEM). Where they are absent, nothing is changed, and what an
 * earlier boot on another cloud left is removed. So one image serves both, and Google's libraries run in it as they are.
 */

const bundle = '/etc/ssl/certs/ca-certificates.crt'
/** Where Debian keeps authorities that its owner adds: a later update-ca-certificates finds it there. */
const own = '/usr/local/share/ca-certificates/kiln-cloud.crt'

/**
 * Python's libraries that carry a list of authorities of their own, and gRPC, are pointed to the system's, which is what Debian's own
 * packages do anyway. For units by systemd's manager, for logins by PAM; a unit's own settings win.
 */
export const trustEnvironment: Readonly<Record<string, string>> = {
  GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: bundle,
  HTTPLIB2_CA_CERTS: bundle,
  REQUESTS_CA_BUNDLE: bundle,
  SSL_CERT_FILE: bundle,
}

/**
 * Ends at once where there is nothing to do. No server waits for it, only scripts of the user, which may need what it brings. A metadata server
 * that is there and does not answer, as when the pocket cloud's daemon is down, is asked again.
 */
export const cloudNamesUnit = `[Unit]
Description=Names and trust from the metadata server
After=systemd-networkd.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/kiln/names
TimeoutStartSec=90
Restart=on-failure
RestartSec=10

[Install]
WantedBy=multi-user.target
`

/**
 * bash alone, since no program of the image speaks HTTP for certain, and nearly without starting others, since each start is felt in a boot
 * under emulation. Arguments, for tests: the root folder of the files, the metadata server's address and port.
 */
export const cloudNamesScript = `#!/bin/bash
# Applies what the metadata server says: this machine's name, kiln/hosts to /etc/hosts, kiln/trust to the system's certificate authorities.
LC_ALL=C
root=\${1:-} host=\${2:-169.254.169.254} port=\${3:-80}
begin='# begin: from the metadata server' end='# end: from the metadata server'
bundle=$root${bundle} own=$root${own}

# True when each card has a route, or one leads to the metadata server's own network (169.254.169.0, as the kernel writes it): before, a
# request could leave by the wrong card.
routed() {
  local routes card
  IFS= read -r -d '' routes </proc/net/route
  [[ $routes == *$'\\t00A9FEA9\\t'* ]] && return 0
  for card in /sys/class/net/*; do
    [ -e "$card/device" ] || continue
    [[ $routes == *$'\\n'"\${card##*/}"$'\\t'* ]] || return 1
  done
}

# The value at $1 in $value. 0: there, 1: the server has none, 2: no answer, 3: there is no server.
fetch() {
  local line status length=0
  value=
  { exec 3<>"/dev/tcp/$host/$port"; } 2>/dev/null || return 3
  printf 'GET /computeMetadata/v1/%s HTTP/1.0\\r\\nHost: metadata.google.internal\\r\\nMetadata-Flavor: Google\\r\\n\\r\\n' "$1" >&3
  read -r -t 10 status <&3 || return 2
  [[ $status == *' 404 '* ]] && { exec 3>&-; return 1; }
  [[ $status == *' 200 '* ]] || return 2
  while read -r -t 10 line <&3 && [ "$line" != $'\\r' ]; do
    [[ \${line,,} =~ ^content-length:\\ *([0-9]+) ]] && length=\${BASH_REMATCH[1]}
  done
  [ "$length" -gt 0 ] && { IFS= read -r -t 10 -N "$length" value <&3 || return 2; }
  exec 3>&-
  value=\${value%$'\\n'}
}

# $2 as it stands in a file, with its marks; nothing when it is empty.
block() { block=\${1:+$begin$'\\n'$1$'\\n'$end}; }

# File $1 without any block, and with $2 at its end.
replace() {
  { sed -e "/^$begin$/,/^$end$/d" -e '$a\\' "$1"; [ -z "$2" ] || printf '%s\\n' "$2"; } >"$1.new"
  chmod 644 "$1.new" && mv -f "$1.new" "$1"
}

# Another name than the image's was given by its user.
set_name() {
  local file=$root/proc/sys/kernel/hostname now=
  [ -e "$file" ] && IFS= read -r now <"$file"
  [ "$now" = localhost ] && [ -n "$value" ] && printf '%s\\n' "\${value%%.*}" >"$file"
}

set_hosts() {
  local file=$root/etc/hosts all block
  IFS= read -r -d '' all <"$file"
  block "$hosts"
  if [[ $all == *"$begin"* ]]; then
    [[ -n $block && $all == *"$block"$'\\n'* ]] || replace "$file" "$block"
  elif [ -n "$block" ]; then
    [[ $all == *$'\\n' || -z $all ]] || block=$'\\n'$block
    printf '%s\\n' "$block" >>"$file"
  fi
}

# What has been applied is in $own before it is anywhere else, and leaves it last.
set_trust() {
  local before= all block
  [ -e "$own" ] && IFS= read -r -d '' before <"$own"
  before=\${before%$'\\n'}
  [ -n "$trust$before" ] || return
  block "$trust"
  if [ -z "$before" ]; then
    [ -d "\${own%/*}" ] || mkdir -p "\${own%/*}"
    printf '%s\\n' "$trust" >"$own"
    printf '%s\\n' "$block" >>"$bundle"
    return
  fi
  [ "$trust" = "$before" ] && [ "$(sed -n "/^$begin$/,/^$end$/p" "$bundle")" = "$block" ] && return
  # update-ca-certificates writes authorities without marks.
  all=$(<"$bundle")
  [[ $all == *$'\\n'"$before"* ]] && printf '%s\\n' "\${all/$'\\n'"$before"/}" >"$bundle.new" && mv -f "$bundle.new" "$bundle"
  replace "$bundle" "$block"
  if [ -n "$trust" ]; then printf '%s\\n' "$trust" >"$own"; else rm -f "$own"; fi
}

if [ $# = 0 ]; then
  for ((try = 0; try < 250; try++)); do
    routed && break
    sleep 0.2
  done
fi
fetch kiln/trust; found=$?
# As in a boot test: the cards have their routes, and nobody is there.
[ $found = 3 ] && { echo 'no metadata server'; exit 0; }
trust=$value
[ $found -le 1 ] && { fetch kiln/hosts; found=$?; }
[ $found -le 1 ] || { echo 'the metadata server did not answer'; exit 1; }
hosts=$value
fetch instance/hostname && set_name
# Trust first: a name that resolves leads to a host that can be trusted.
set_trust
set_hosts
exit 0
`

/**
 * Links by the hash of the name, for programs that look into the folder of authorities instead of the bundle. Starts OpenSSL, so it has
 * its place among what no server waits for. $1, for tests: the root folder.
 */
export const trustLinksScript = `#!/bin/bash
certs=\${1:-}/etc/ssl/certs own=\${1:-}${own}
link=$certs/kiln-cloud.pem
[ -e "$own" ] || [ -e "$link" ] || exit 0
[ "$link" -nt "$own" ] && [ -e "$own" ] && exit 0
for name in "$certs"/*.[0-9]; do
  [ "$name" -ef "$link" ] && rm -f "$name"
done
rm -f "$link"
[ -e "$own" ] || exit 0
name=$(openssl x509 -noout -hash -in "$own") || exit 1
# The file itself comes last: it says that the link is there.
ln -sf kiln-cloud.pem "$certs/$name.0"
cp "$own" "$link"
`
