/**
 * Makes the extract of an API that only npm's `googleapis` describes (250 MB, too much to install for one API):
 * `node tools/make-api-extract.ts dns v1` unpacks two files of the package, writes src/cloud/kernel/descriptions/dns.v1.json and removes them again.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { extractDiscovery } from '../src/cloud/kernel/descriptions/discovery.ts'
import { run } from '../src/host/exec.ts'
import { root } from './imports.ts'

const PACKAGE = 'googleapis@188.0.0'

const [name = '', version = ''] = process.argv.slice(2)
if (!/^[a-z]\w*$/.test(name) || !/^v\d\w*$/.test(version)) throw new Error('usage: node tools/make-api-extract.ts NAME VERSION, such as dns v1')
const folder = await mkdtemp(join(tmpdir(), 'kiln-extract-'))
try {
  const { signal } = new AbortController()
  const { stdout } = await run({ program: 'npm', args: ['pack', '--silent', PACKAGE], cwd: folder }, { what: `fetching ${PACKAGE}`, signal })
  const files = ['js', 'd.ts'].map((end) => `package/build/src/apis/${name}/${version}.${end}`)
  await run({ program: 'tar', args: ['-xzf', stdout.trim(), ...files], cwd: folder }, { what: `unpacking ${PACKAGE}`, signal })
  const [code = '', types = ''] = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  const { methods, messages } = extractDiscovery(code, types)
  const bare = Object.fromEntries(Object.entries(messages).map(([message, text]) => [message, text.replace(/\/\*[^]*?\*\//g, '').replace(/\s+/g, ' ')]))
  const extract = { source: `${PACKAGE} (Copyright Google LLC, Apache-2.0): build/src/apis/${name}/${version}`, methods, messages: bare }
  await writeFile(join(root, `src/cloud/kernel/descriptions/${name}.${version}.json`), `${JSON.stringify(extract, undefined, 2)}\n`)
} finally {
  await rm(folder, { recursive: true, force: true })
}
