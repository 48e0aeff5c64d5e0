/** Packer: what goes into an image is what the offline baker puts there. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { SynthInput } from '../input.ts'
import { exampleInput } from '../testing.ts'
import { shellWord } from './scripts.ts'
import { packerFiles } from './templates.ts'

function text(path: string, input: SynthInput = exampleInput()): string {
  return packerFiles(input).find((file) => file.path === `ops/packer/${path}`)?.text ?? ''
}

test('packages, at the version of the lock where it has one', () => {
  expect(text('python3/provision.sh')).toContain('  python3=3.11.2-1+b1 \\\n  python3-venv \\\n  python3-waitress\n')
  expect(text('moshi-srv/provision.sh')).toContain('  ffmpeg\n')
})

test('the account, the files with their modes, and the unit without the header', () => {
  const script = text('moshi-srv/provision.sh')
  expect(script).toContain('sudo useradd --system --uid 880 --user-group --no-create-home --home-dir /var/lib/moshi --shell /usr/sbin/nologin moshi')
  expect(script).toContain('sudo install -D -m 0755 /tmp/kiln-1-entrypoint.sh /opt/moshi/entrypoint.sh')
  expect(script).toContain('sed 1d /tmp/moshi-srv.service | sudo tee /etc/systemd/system/moshi-srv.service')
  expect(text('moshi-srv/moshi-srv.service').split('\n').slice(1).join('\n')).toBe('[Service]\nUser=moshi\nExecStart=/opt/moshi/entrypoint.sh\n')
})

test('an account of an image below is not made again', () => {
  const input = exampleInput()
  const server = input.images['moshi-srv']
  if (server?.type !== 'server') throw new Error('the example has a server image')
  expect(text('moshi-srv/provision.sh', { ...input, images: { ...input.images, 'moshi-srv': { ...server, hasAccount: true } } })).not.toContain('useradd')
})

test('pip asks the private index alone, as the account that may read it; the token is on no command line', () => {
  const script = text('moshi-srv/provision.sh')
  expect(script).toMatch(/-m pip --isolated .*\n? ?.*--index-url "\$INDEX" \$REQUIREMENTS/)
  expect(script).not.toContain('extra-index-url')
  expect(script).not.toMatch(/oauth2accesstoken:/)
  expect(text('moshi-srv.pkr.hcl')).toContain('service_account_email = "artifact-reader@${var.project}.iam.gserviceaccount.com"')
  expect(text('moshi-srv.pkr.hcl')).toContain('"INDEX=https://${var.region}-python.pkg.dev/${var.project}/pypi/simple/"')
})

test('without Python packages there is neither pip nor an account', () => {
  const images = { ...exampleInput().config.images, 'moshi-srv': { from: 'python3', entrypoint: '/usr/bin/true' } } as const
  const input = exampleInput({ images: { python3: { debian: 'bookworm' }, 'moshi-srv': images['moshi-srv'] } })
  expect(text('moshi-srv/provision.sh', input)).not.toContain('-m pip')
  expect(text('moshi-srv.pkr.hcl', input)).not.toContain('service_account_email')
})

test('every suite has its public family', () => {
  for (const [debian, family] of [
    ['bullseye', 'debian-11'],
    ['bookworm', 'debian-12'],
    ['trixie', 'debian-13'],
  ] as const) {
    const input = exampleInput({ images: { ...exampleInput().config.images, python3: { debian } } as never })
    expect(text('python3.pkr.hcl', input)).toContain(`source_image_family     = "${family}"`)
  }
})

test('scripts are scripts, with any file name', () => {
  const files = { "./a file's name.sh": '/opt/it.sh', './entrypoint.sh': '/opt/moshi/entrypoint.sh' }
  const example = exampleInput()
  const input = exampleInput({ images: { ...example.config.images, 'moshi-srv': { from: 'python3', files, entrypoint: '/opt/it.sh' } } as never })
  for (const path of ['python3/provision.sh', 'moshi-srv/provision.sh']) execFileSync('bash', ['-n'], { input: text(path, input) })
  expect(text('moshi-srv/provision.sh', input)).toContain('/tmp/kiln-1-a_file_s_name.sh')
})

test('words of the shell', () => {
  for (const word of ['plain', 'a b', "it's", '$x `y` "z"', 'a=b', '*', '~']) {
    expect(execFileSync('bash', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8', env: { HOME: '~' } })).toBe(word)
  }
})
