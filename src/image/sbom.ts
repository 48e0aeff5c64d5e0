/** The bill of materials of an image, in CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/), kept beside the disk as `sbom.cdx.json`. */
import { sha256Hex } from '../base/ids.ts'
import { SOURCE_DATE_EPOCH } from './namespace.ts'
import type { BakedImage, BaseImageSpec } from './types.ts'

const releases: Readonly<Record<BaseImageSpec['suite'], string>> = { bullseye: 'debian-11', bookworm: 'debian-12', trixie: 'debian-13' }

/** The document's text. It depends on the image alone: the serial number comes from the key, the time is the recipe's. */
export function sbomText(image: Pick<BakedImage, 'name' | 'key' | 'digest' | 'debian' | 'wheels'>, suite: BaseImageSpec['suite']): string {
  const hash = sha256Hex(`${image.key.key} ${image.digest}`)
  const serial = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`
  const debian = image.debian.map(({ name, version, architecture, sha256 }) =>
    component(name, version, `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${releases[suite]}`, sha256),
  )
  const wheels = image.wheels.map(({ name, version, sha256 }) => component(name, version, `pkg:pypi/${name}@${encodeURIComponent(version)}`, sha256))
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${serial}`,
    version: 1,
    metadata: {
      timestamp: new Date(SOURCE_DATE_EPOCH * 1000).toISOString(),
      component: {
        type: 'firmware',
        'bom-ref': image.name,
        name: image.name,
        version: image.key.key.slice(0, 16),
        hashes: [{ alg: 'SHA-256', content: image.digest.replace(/^sha256:/, '') }],
      },
    },
    components: [...debian, ...wheels],
  }
  return `${JSON.stringify(document, undefined, 1)}\n`
}

function component(name: string, version: string, purl: string, sha256: string): object {
  return { type: 'library', 'bom-ref': purl, name, version, purl, hashes: [{ alg: 'SHA-256', content: sha256 }] }
}
