import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { run } from '../host/exec.ts'
import { removeAll } from '../host/files.ts'
import { asRoot, insideRoot, withRoot } from './namespace.ts'

const stack = { cwd: '/cache', layers: ['layers/a/tree', 'layers/b/tree'], writable: { upper: 'tmp/1/tree', work: 'tmp/1/work' }, mountPoint: 'tmp/1/mount' }
const wrapper = ['--pdeathsig', 'KILL', '--', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']

describe('argument lists', () => {
  test('root runs in namespaces of its own and ends with its parent', () => {
    expect(asRoot({ program: 'rm', args: ['-rf', '--', 'x'] }, { userNamespace: false })).toMatchObject({
      program: 'setpriv',
      args: [...wrapper, '--', 'rm', '-rf', '--', 'x'],
      cleanEnv: true,
    })
  })

  test('another user becomes root of a user namespace; without network there is a network namespace too', () => {
    const { args } = asRoot({ program: 'true', args: [] }, { userNamespace: true, network: false })
    expect(args).toEqual([
      '--pdeathsig',
      'KILL',
      '--',
      'unshare',
      '--user',
      '--map-root-user',
      '--map-auto',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      '--net',
      '--',
      'true',
    ])
  })

  test('the top layer comes first for overlayfs, and the paths are relative to the working folder', () => {
    const command = withRoot(stack, 'du', ['-s', 'tmp/1/mount'], { userNamespace: false })
    expect(command.cwd).toBe('/cache')
    expect(command.args.slice(wrapper.length + 4)).toEqual(['kiln', 'tmp/1/mount', 'layers/b/tree:layers/a/tree', 'tmp/1/tree', 'tmp/1/work', '', 'du', '-s', 'tmp/1/mount'])
  })

  test('a command inside gets its folder, user and binds', () => {
    const command = insideRoot(stack, 'pip', ['list'], { network: true, userNamespace: true, binds: { '/host/a': '/run/kiln/a' }, as: '65534:65534', workingFolder: '/run/kiln/a' })
    expect(command.args.slice(-13)).toEqual([
      'tmp/1/mount',
      'layers/b/tree:layers/a/tree',
      'tmp/1/tree',
      'tmp/1/work',
      'userxattr,',
      '/run/kiln/a',
      '65534:65534',
      '--bind',
      '/host/a',
      '/run/kiln/a',
      '--',
      'pip',
      'list',
    ])
  })

  test('nothing of the caller reaches the environment', () => {
    process.env['PIP_INDEX_URL'] = 'http://evil.example/'
    const command = insideRoot(stack, 'pip', [], { network: true, env: { NETRC: '/run/x' } })
    delete process.env['PIP_INDEX_URL']
    expect(command.cleanEnv).toBe(true)
    expect(Object.keys(command.env ?? {}).sort()).toEqual(['DEBIAN_FRONTEND', 'HOME', 'LC_ALL', 'NETRC', 'PATH', 'SOURCE_DATE_EPOCH', 'TZ'])
  })
})

describe('real roots', () => {
  const folders: string[] = []
  afterEach(async () => {
    for (const folder of folders.splice(0)) await removeAll(folder)
  })

  test('writes go to the top layer; the layers below stay as they are', async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'kiln-namespace-'))
    folders.push(cwd)
    for (const name of ['lower', 'upper', 'work', 'mount']) await mkdir(join(cwd, name))
    await writeFile(join(cwd, 'lower/kept'), 'old')
    const root = { cwd, layers: ['lower'], writable: { upper: 'upper', work: 'work' }, mountPoint: 'mount' }
    await run(withRoot(root, 'sh', ['-c', 'cat mount/kept > mount/copy; echo new > mount/kept']))
    expect(await readFile(join(cwd, 'lower/kept'), 'utf8')).toBe('old')
    expect(await readFile(join(cwd, 'upper/kept'), 'utf8')).toBe('new\n')
    expect(await readFile(join(cwd, 'upper/copy'), 'utf8')).toBe('old')
  })
})
