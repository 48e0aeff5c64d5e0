/** Every step's programs, exactly. */
import { describe, expect, test } from 'vitest'
import { GIB } from '../../base/units.ts'
import { commandLine } from '../../host/exec.ts'
import { packCommand } from '../pack.ts'
import { basePackages } from '../recipe/packages.ts'
import { plainCommand } from '../testing/commands.ts'
import type { BaseImageSpec, ServerImageSpec } from '../types.ts'
import { wheelCommands } from '../wheel.ts'
import { baseRoot } from './base-root.ts'
import { bootFiles } from './boot-files.ts'
import { debianLayer } from './debian-layer.ts'
import { disk } from './disk.ts'
import { finishScript, installScript, serverRoot } from './server-root.ts'

const base: BaseImageSpec = { type: 'base', name: 'python3', suite: 'bookworm', packages: ['python3'] }
const root = { cwd: '/cache', layers: ['layers/a/tree'], writable: { upper: 'tmp/1/tree', work: 'tmp/1/work' }, mountPoint: 'tmp/1/mount' }
const sources = ['deb http://mirror.example/debian bookworm main']
const locked = [{ name: 'bash', version: '5.2', architecture: 'amd64', sha256: 'a'.repeat(64) }]

describe('base root', () => {
  test('installs the suite with mmdebstrap, then removes what differs between two installs', () => {
    const [install, remove, times, ...rest] = baseRoot.plan({ spec: base, sources, locked: undefined, folder: '/cache/tmp/1' }).map(plainCommand)
    expect(install?.argv).toEqual([
      'mmdebstrap',
      '--mode=root',
      '--format=directory',
      '--variant=apt',
      '--architectures=amd64',
      '--components=main',
      '--skip=cleanup/apt,cleanup/reproducible',
      '--aptopt=APT::Install-Recommends "false"',
      '--aptopt=Acquire::Languages "none"',
      '--aptopt=Acquire::Retries "3"',
      '--dpkgopt=path-exclude=/usr/share/man/*',
      '--dpkgopt=path-exclude=/usr/share/info/*',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      `--include=${basePackages('bookworm', ['python3']).join(',')}`,
      'bookworm',
      '/cache/tmp/1/tree',
      ...sources,
    ])
    expect(remove?.argv[2]).toContain('etc/ssh/ssh_host_*')
    expect(remove?.argv.at(-1)).toBe('/cache/tmp/1/tree')
    expect(times?.argv).toEqual(['find', '/cache/tmp/1/tree', '-newermt', '@1704067200', '-exec', 'touch', '--no-dereference', '-d', '@1704067200', '{}', '+'])
    expect(rest).toEqual([])
  })

  test('pins reach apt before the first package, also from a folder with a quote in its name', () => {
    const [install] = baseRoot.plan({ spec: base, sources, locked, folder: "/it's/tmp" }).map(plainCommand)
    expect(install?.argv).toContain(`--setup-hook=mkdir -p "$1/etc/apt/preferences.d" && cp '/it'\\''s/tmp/pins' "$1/etc/apt/preferences.d/kiln-pins"`)
  })
})

describe('Debian packages', () => {
  test('apt runs inside with the given sources, index and pins, and touches no others', () => {
    const options = [
      'Dir::Etc::SourceList=/run/kiln/apt/sources.list',
      'Dir::Etc::SourceParts=-',
      'Dir::Etc::Preferences=/run/kiln/apt/pins',
      'Dir::State::Lists=/run/kiln/apt/lists',
      'Dir::Cache::pkgcache=',
      'Dir::Cache::srcpkgcache=',
      'APT::Install-Recommends=false',
      'APT::Sandbox::User=root',
      'Acquire::Languages=none',
      'Acquire::Retries=3',
    ].flatMap((option) => ['-o', option])
    const inside = { folder: '/', user: '0:0', binds: ['--bind', '/cache/tmp/1/apt', '/run/kiln/apt'] }
    const [update, install, remove, times] = debianLayer
      .plan({ image: 'srv', packages: ['sox', 'ffmpeg'], sources, locked, below: [], root, apt: '/cache/tmp/1/apt' })
      .map(plainCommand)
    expect(update).toEqual({ argv: ['apt-get', ...options, 'update'], root: 'layers/a/tree -> tmp/1/tree', inside, network: true })
    expect(install).toEqual({
      argv: ['apt-get', ...options, 'install', '--yes', '--no-install-recommends', 'ffmpeg', 'sox'],
      root: 'layers/a/tree -> tmp/1/tree',
      inside,
      network: true,
    })
    expect(remove?.argv.at(-1)).toBe('/cache/tmp/1/tree')
    expect(times?.argv.slice(0, 2)).toEqual(['find', '/cache/tmp/1/tree'])
  })
})

const server: ServerImageSpec = {
  type: 'server',
  name: 'moshi-srv',
  from: base,
  packages: [],
  wheels: [{ name: 'moshi-server', version: '0.1.0', fileName: 'moshi_server-0.1.0-py3-none-any.whl', sha256: 'a'.repeat(64) }],
  files: [],
  user: 'moshi',
  entrypoint: '/opt/moshi/entrypoint.sh',
  port: 8080,
  environment: {},
}

describe('server root', () => {
  const index = { url: 'http://127.0.0.1:1/simple/', accessToken: async () => 'secret-token' }
  const context = { spec: server, root, scratch: '/cache/tmp/1/scratch', pip: { folder: '/cache/layers/b/tree/usr/lib/python3/dist-packages/pip', wheels: [] }, index }

  test('account; then virtual environment, wheels by hash from the one index, then check and bytecode without a network', () => {
    const [account, install, finish] = serverRoot.plan(context).map(plainCommand)
    expect(account).toMatchObject({
      argv: ['useradd', '--system', '--uid', '880', '--user-group', '--no-create-home', '--home-dir', '/var/lib/moshi', '--shell', '/usr/sbin/nologin', 'moshi'],
      inside: { binds: [] },
      network: false,
    })
    const binds = ['--bind', '/cache/tmp/1/scratch', '/run/kiln/scratch', '--bind', '/cache/layers/b/tree/usr/lib/python3/dist-packages/pip', '/run/kiln/pip/pip']
    expect(install).toMatchObject({ argv: ['sh', '-c', installScript, 'kiln', '/opt/moshi-srv/venv', 'http://127.0.0.1:1/simple/'], inside: { binds }, network: true })
    expect(finish).toMatchObject({ argv: ['sh', '-c', finishScript, 'kiln', '/opt/moshi-srv/venv', 'moshi-server'], inside: { binds }, network: false })
    expect(installScript).toBe(`set -eu
venv=$1 index=$2
python3 -m venv --system-site-packages --without-pip "$venv"
exec "$venv/bin/python3" -m pip --isolated --disable-pip-version-check --no-input --no-cache-dir install --no-compile --no-deps --no-warn-script-location \\
  --only-binary :all: --require-hashes --index-url "$index" -r /run/kiln/scratch/requirements.txt
`)
    expect(finishScript).toBe(`set -eu
venv=$1
shift
"$venv/bin/python3" /run/kiln/scratch/check.py "$@"
exec "$venv/bin/python3" -m compileall -q -f --invalidation-mode unchecked-hash "$venv"
`)
  })

  test('where Debian’s pip is not whole, Python imports it from the wheels', () => {
    const command = serverRoot.plan({ ...context, pip: { folder: '/cache/layers/b/tree/usr/share/python-wheels', wheels: ['pip-20.whl', 'urllib3-1.whl'] } })[1]
    expect(command === undefined ? [] : plainCommand(command).inside?.binds.slice(-2)).toEqual(['/cache/layers/b/tree/usr/share/python-wheels', '/run/kiln/pip'])
    expect(command?.env?.['PYTHONPATH']).toBe('/run/kiln/pip/pip-20.whl:/run/kiln/pip/urllib3-1.whl')
  })

  test('the token is on no command line and in no environment', () => {
    const text = JSON.stringify(serverRoot.plan(context))
    expect(text).not.toContain('secret-token')
  })

  test('a server on a server with the same user makes no second account', () => {
    const upper = { ...context, spec: { ...server, name: 'upper', from: server } }
    expect(
      serverRoot
        .plan(upper)
        .map(plainCommand)
        .some(({ argv }) => argv[0] === 'useradd'),
    ).toBe(false)
    const other = { ...context, spec: { ...server, name: 'upper', user: 'other', from: server } }
    expect(serverRoot.plan(other).map(plainCommand)[0]?.argv.slice(0, 4)).toEqual(['useradd', '--system', '--uid', '881'])
  })
})

test('wheels are built without a network, by nobody, with the tools of the root alone', () => {
  const [owner, build] = wheelCommands(root, '/cache/tmp/1/source', '/cache/tmp/1/out').map(plainCommand)
  expect(owner?.argv).toEqual(['chown', '-R', '65534:65534', '/cache/tmp/1/source', '/cache/tmp/1/out'])
  expect(build).toEqual({
    argv: [
      ...['python3', '-m', 'pip', '--isolated', '--disable-pip-version-check', '--no-cache-dir', 'wheel', '--no-deps', '--no-index', '--no-build-isolation', '--use-pep517'],
      ...['--wheel-dir', '/run/kiln/out', '/run/kiln/source'],
    ],
    root: 'layers/a/tree -> tmp/1/tree',
    inside: { folder: '/run/kiln/source', user: '65534:65534', binds: ['--bind', '/cache/tmp/1/source', '/run/kiln/source', '--bind', '/cache/tmp/1/out', '/run/kiln/out'] },
    network: false,
  })
})

test('boot files: a FAT file system with one program and fixed times', () => {
  expect(bootFiles.plan({ tree: '/t', boot: '/b', outFolder: '/out' }).map(commandLine)).toEqual([
    'mformat -i /out/esp.img.part -T 98304 -h 64 -s 32 -N 4b494c4e -v KILN ::',
    'mmd -i /out/esp.img.part ::/EFI ::/EFI/BOOT',
    'touch -d @1704067200 /out/BOOTX64.EFI',
    'mcopy -m -i /out/esp.img.part /out/BOOTX64.EFI ::/EFI/BOOT/BOOTX64.EFI',
  ])
})

test('disk: partition table, EFI partition, root file system, times', () => {
  const plan = disk.plan({ root, esp: '/cache/layers/a/esp.img', path: '/cache/tmp/1/disk.raw', sizeBytes: GIB })
  expect(plan[0]?.input).toBe(`label: gpt
label-id: 6B696C6E-0000-4000-8000-000000000001
start=2048, size=98304, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=6B696C6E-0000-4000-8000-000000000002, name=kiln-esp-warm1
start=100352, size=1994752, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=6B696C6E-0000-4000-8000-000000000003, name=kiln-root
`)
  expect(plan.map((command) => plainCommand(command).argv)).toEqual([
    ['sfdisk', '--quiet', '--no-reread', '--no-tell-kernel', '/cache/tmp/1/disk.raw'],
    ['dd', 'if=/cache/layers/a/esp.img', 'of=/cache/tmp/1/disk.raw', 'bs=1M', 'seek=1', 'conv=notrunc,sparse', 'status=none'],
    [
      ...[
        'mke2fs',
        '-q',
        '-F',
        '-t',
        'ext4',
        '-b',
        '4096',
        '-I',
        '256',
        '-J',
        'size=16',
        '-m',
        '1',
        '-O',
        'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum',
        '-L',
        'kiln-root',
      ],
      ...['-U', '6b696c6e-0000-4000-8000-000000000004', '-E', 'offset=51380224,hash_seed=6b696c6e-0000-4000-8000-000000000005,root_owner=0:0,assume_storage_prezeroed=1,nodiscard'],
      ...['-d', 'tmp/1/mount', '/cache/tmp/1/disk.raw', '249344'],
    ],
    ['debugfs', '-w', '-f', '/cache/tmp/1/disk.raw.debugfs', '/cache/tmp/1/disk.raw?offset=51380224'],
  ])
})

test('archive: oldgnu, holes by content, no owner and no time of this machine', () => {
  expect(packCommand('/cache/images/k/disk.raw', '/out/a.tar.gz', 'pigz').args).toEqual([
    ...['--create', '--format=oldgnu', '--sparse', '--hole-detection=raw', '--owner=0', '--group=0', '--numeric-owner', '--mode=0644', '--mtime=@1704067200'],
    ...['--use-compress-program=pigz -n -1', '--file=/out/a.tar.gz', '--directory=/cache/images/k', 'disk.raw'],
  ])
})
