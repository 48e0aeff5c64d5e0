/** Names that a stack's resources get. Other parts that must meet the same things (import, ssh, logs) take them from here. */
import { sha256Hex } from '../base/ids.ts'

/** The bucket through which images are imported. Bucket names have at most 63 characters. */
export function imageBucketName(projectId: string): string {
  return `${projectId.replaceAll(/[:.]/g, '-').slice(0, 51)}-kiln-images`
}

/** The bucket of Terraform's state: made before Terraform runs, in the stack's own project. */
export function stateBucketName(projectId: string): string {
  return `${projectId.replaceAll(/[:.]/g, '-').slice(0, 51)}-kiln-state`
}

/** The bucket with the ledger of releases. */
export function releasesBucketName(projectId: string): string {
  return `${projectId.replaceAll(/[:.]/g, '-').slice(0, 49)}-kiln-releases`
}

/** The network tag, and the firewall rule, of VMs that run an image. Names have at most 63 characters. */
export function imageTag(image: string): string {
  return `kiln-${image}`.slice(0, 63).replace(/-+$/, '')
}

/** The network tag of VMs that take SSH connections. */
export const sshTag = 'kiln-ssh'

/** The firewall rule behind `sshTag`; an image's rule always begins with `kiln-`, so that this one never meets it. */
export const sshRule = 'allow-kiln-ssh'

/** A text as a label value: lower case, digits, `_` and `-`, at most 63 characters. */
export function labelValue(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .slice(0, 63)
}

/** The name of a domain's zone in the project: `chatmoshi.com` -> `zone-chatmoshi-com`. Long ones end in a hash, so that no two are the same. */
export function zoneName(domain: string): string {
  const name = `zone-${domain.replaceAll('.', '-')}`
  return name.length <= 63 ? name : `${name.slice(0, 54).replace(/-+$/, '')}-${sha256Hex(domain).slice(0, 8)}`
}

/**
 * The name of what serves a stack: its group, load balancer, address, and the network tag of its VMs. At most 50 characters, so that others can end in something.
 * It never meets an image's tag, which begins with `kiln-`: a development VM's port is open to everybody, a server's only to the load balancer.
 */
export function servingName(stack: string): string {
  return `serve-${stack.replaceAll('_', '-')}`.slice(0, 50).replace(/-+$/, '')
}
