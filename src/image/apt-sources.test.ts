import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { lockDifferences, parseInstalled, pinPreferences, withHashes } from './debian-packages.ts'
import { aptSources, defaultMirror, parseMirror } from './apt-sources.ts'

describe('mirror', () => {
  test('is that of this machine’s apt', () => {
    const text = 'Debian|Debian|http://mirror.example/debian/\nDebian|Debian-Security|http://mirror.example/debian-security/\nNode Source|Node Source|https://deb.example/node/\n'
    expect(parseMirror(text)).toEqual({ archive: 'http://mirror.example/debian', security: 'http://mirror.example/debian-security' })
  })
  test('an archive without a security source has it beside itself', () =>
    expect(parseMirror('Debian|Debian|http://mirror.example/debian/\n')).toEqual({ archive: 'http://mirror.example/debian', security: 'http://mirror.example/debian-security' }))
  test.each(['', 'Ubuntu|Ubuntu|http://archive.ubuntu.example/ubuntu/\n', 'Debian|Debian|cdrom:[x]/\n'])('%j: the public one', (text) =>
    expect(parseMirror(text)).toEqual(defaultMirror),
  )
})

test('an archive that does not answer is named, with what to do', async () => {
  const gone = { archive: 'http://127.0.0.1:9/debian', security: 'http://127.0.0.1:9/debian-security' }
  await expect(aptSources(gone, 'bookworm', tmpdir())).rejects.toMatchObject({
    code: 'E_NETWORK',
    message: expect.stringContaining('127.0.0.1:9'),
    hint: expect.stringContaining('apt-get update'),
  })
})

const sha256 = (digit: string): string => digit.repeat(64)
const item = (name: string, version: string, digit = 'a') => ({ name, version, architecture: 'amd64', sha256: sha256(digit) })

describe('Debian packages', () => {
  test('installed ones are read from dpkg, removed ones left out', () => {
    expect(parseInstalled('zlib1g\t1:1.2\tamd64\tinstalled\nadduser\t3.1\tall\tinstalled\nold\t1\tall\tconfig-files\n')).toEqual([
      { name: 'adduser', version: '3.1', architecture: 'all' },
      { name: 'zlib1g', version: '1:1.2', architecture: 'amd64' },
    ])
  })
  test('hashes come from the paragraph of the same version', () => {
    const index = `Package: bash\nVersion: 5.1\nSHA256: ${sha256('b')}\n\nPackage: bash\nVersion: 5.2\nDescription: a\n long text\nSHA256: ${sha256('c')}\n`
    expect(withHashes([{ name: 'bash', version: '5.2', architecture: 'amd64' }], index)).toEqual([item('bash', '5.2', 'c')])
    expect(() => withHashes([{ name: 'bash', version: '9', architecture: 'amd64' }], index)).toThrow('no package bash 9')
  })
  test('pins allow one version each', () => expect(pinPreferences([item('bash', '5.2')])).toBe('Package: bash\nPin: version 5.2\nPin-Priority: 1001\n'))
  test('differences name the package and both versions', () => {
    expect(lockDifferences([item('a', '1'), item('b', '1'), item('c', '1')], [item('a', '1'), item('b', '2'), item('c', '1', 'f'), item('d', '1')])).toEqual([
      'b 1 (the archive has 2)',
      'c 1 has other bytes than the lock says',
      'd 1 is not in the lock',
    ])
    expect(lockDifferences([item('a', '1')], [])).toEqual(['a 1 was not installed'])
  })
})
