/** What runs in the VM that becomes an image. The same packages, account, files and unit as the offline baker puts there. */
import { basename } from 'node:path'
import type { ServerImage } from '../../config/schema.images.ts'
import { header } from '../file.ts'
import type { ImageFacts } from '../input.ts'

/** The name under which a file of the config is uploaded to the VM's /tmp. Two files may have the same base name. */
export function uploadName(index: number, local: string): string {
  return `kiln-${index + 1}-${basename(local).replaceAll(/[^\w.-]/g, '_')}`
}

const tidyUp = `# What a machine collects is no part of its image.
sudo apt-get clean
sudo rm -rf /var/lib/apt/lists/*
`

function start(what: string): string {
  return `#!/bin/bash\n${header()}# ${what}\nset -euo pipefail\n\n`
}

/** Packages at the versions of the lock, where it has them. */
function install(packages: readonly string[], versions: Readonly<Record<string, string>>): string {
  if (packages.length === 0) return ''
  const words = [...packages].sort().map((name) => (versions[name] === undefined ? name : `${name}=${versions[name]}`))
  return `sudo apt-get -o DPkg::Lock::Timeout=300 update -qq
sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends --allow-downgrades \\
${words.map((word) => `  ${shellWord(word)}`).join(' \\\n')}

`
}

/** The script of an image made from a Debian suite. */
export function baseScript(packages: readonly string[], versions: Readonly<Record<string, string>>): string {
  return `${start('Runs in the VM that becomes the base image.')}${install(packages, versions)}${tidyUp}`
}

/** The script of an image with a server in it. */
export function serverScript(name: string, image: ServerImage, facts: ImageFacts & { readonly type: 'server' }): string {
  const account = facts.hasAccount
    ? ''
    : `# The server's own account, without login.
sudo useradd --system --uid ${facts.uid} --user-group --no-create-home --home-dir ${shellWord(`/var/lib/${image.user}`)} --shell /usr/sbin/nologin ${shellWord(image.user)}

`
  const python = image.python.length === 0 ? '' : pythonPart(`${facts.folder}/venv`)
  const files = Object.entries(image.files).map(([local, place], index) => {
    const mode = (facts.modes[local] ?? 0o644).toString(8).padStart(4, '0')
    return `sudo install -D -m ${mode} ${shellWord(`/tmp/${uploadName(index, local)}`)} ${shellWord(place)}\n`
  })
  return `${start(`Runs in the VM that becomes the image ${name}.`)}${install(image.packages, facts.versions)}${account}${python}# The files, and the unit without Kiln's header.
${files.join('')}sed 1d ${shellWord(`/tmp/${facts.unitName}`)} | sudo tee ${shellWord(`/etc/systemd/system/${facts.unitName}`)} >/dev/null
sudo systemctl enable ${shellWord(facts.unitName)}

sudo rm -f /tmp/kiln-* ${shellWord(`/tmp/${facts.unitName}`)}
${tidyUp}`
}

/**
 * pip of Debian's own wheels, with the stack's index as its only one. The token is that of the VM's service account; it is in a file of this user
 * for the one command, on no command line and not in the image.
 */
function pythonPart(venv: string): string {
  return `# Python packages from the private index alone, with the token of the VM's own service account.
work=$(mktemp -d)
trap 'sudo rm -rf "$work"' EXIT
host=\${INDEX#https://}
python3 - "\${host%%/*}" >"$work/netrc" <<'TOKEN'
import json, sys, urllib.request
url = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
token = json.load(urllib.request.urlopen(urllib.request.Request(url, headers={"Metadata-Flavor": "Google"})))["access_token"]
print(f"machine {sys.argv[1]}\\nlogin oauth2accesstoken\\npassword {token}")
TOKEN
if ! ls /usr/share/python-wheels/pip-*.whl >/dev/null 2>&1; then
  sudo apt-get -o DPkg::Lock::Timeout=300 update -qq
  (cd "$work" && apt-get download -qq python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .)
  wheels=$work/usr/share/python-wheels
fi
sudo python3 -m venv --system-site-packages --without-pip ${shellWord(venv)}
# shellcheck disable=SC2086 -- a list of requirements
sudo env NETRC="$work/netrc" HOME="$work" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$(printf '%s:' "\${wheels:-/usr/share/python-wheels}"/*.whl)" \\
  ${shellWord(`${venv}/bin/python3`)} -m pip --isolated --disable-pip-version-check --no-input --no-cache-dir install --no-compile --no-deps \\
  --no-warn-script-location --only-binary :all: --index-url "$INDEX" $REQUIREMENTS
sudo ${shellWord(`${venv}/bin/python3`)} -m compileall -q -f --invalidation-mode unchecked-hash ${shellWord(venv)}

`
}

/** A word for the shell; quoted when it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
