import { expect, test } from 'vitest'
import { sbomText } from './sbom.ts'

test('every package and wheel has its address and hash, and the same image gives the same text', () => {
  const sha256 = 'a'.repeat(64)
  const image = {
    name: 'moshi-srv',
    key: { key: 'b'.repeat(64), inputs: {} },
    digest: `sha256:${'c'.repeat(64)}`,
    debian: [{ name: 'libstdc++6', version: '1:12.2-1', architecture: 'amd64', sha256 }],
    wheels: [{ name: 'moshi-server', version: '0.1.0', fileName: 'moshi_server-0.1.0-py3-none-any.whl', sha256 }],
  }
  const text = sbomText(image, 'bookworm')
  expect(sbomText(image, 'bookworm')).toBe(text)
  const document = JSON.parse(text)
  expect(document).toMatchObject({
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    metadata: { timestamp: '2024-01-01T00:00:00.000Z', component: { hashes: [{ alg: 'SHA-256', content: 'c'.repeat(64) }] } },
  })
  expect(document.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(document.components.map((component: { purl: string; hashes: unknown }) => [component.purl, component.hashes])).toEqual([
    ['pkg:deb/debian/libstdc%2B%2B6@1%3A12.2-1?arch=amd64&distro=debian-12', [{ alg: 'SHA-256', content: sha256 }]],
    ['pkg:pypi/moshi-server@0.1.0', [{ alg: 'SHA-256', content: sha256 }]],
  ])
})
