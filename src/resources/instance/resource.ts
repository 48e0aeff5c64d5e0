/** What a virtual machine is, without a cloud. */
import type { Resource } from '../resource.ts'
import type { InstanceProps } from './schema.ts'

export const instanceResource: Resource<InstanceProps> = {
  kind: 'instance',
  identity: (props) => ({ projectId: props.projectId, zone: props.zone, name: props.name }),
  replacing: ['image', 'diskSizeGb', 'network'],
}

/** Metadata that Google's tools write beside ours: keys of `gcloud compute ssh`, and what guests report. `kiln-warm-start` matters only while a VM is made. */
export function isForeignMetadata(key: string): boolean {
  return ['ssh-keys', 'sshKeys', 'startup-script-status', 'windows-keys', 'kiln-warm-start'].includes(key) || key.startsWith('google-') || key.startsWith('gce-')
}

/** States on the way to running, or there. */
export function isUp(status: string): boolean {
  return ['PROVISIONING', 'STAGING', 'RUNNING', 'REPAIRING'].includes(status)
}
