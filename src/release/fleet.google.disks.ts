/** Disks that are kept as evidence: they stay when their instance goes, and their labels say of which release. */
import type { Clients } from '../client/clients.ts'
import { call, isGone } from '../client/errors.ts'
import { lastSegment, waitForCompute } from '../client/operations.ts'
import type { Fleet, KeptDisk } from './fleet.ts'
import type { FleetPlace } from './fleet.google.ts'

const stackLabel = 'kiln-stack'
const releaseLabel = 'kiln-failed-release'
const mostLabelCharacters = 63

/** Errors are those of `call` and `waitForCompute`. */
export function googleDisks(clients: Clients, place: FleetPlace): Pick<Fleet, 'keepDisk' | 'keptDisks' | 'deleteDisk'> {
  const { projectId: project, zone } = place
  const options = place.signal === undefined ? {} : { signal: place.signal }
  return {
    async keepDisk(instance, stack, release) {
      const compute = await clients.compute()
      const { disks = [] } = await call(compute.instances.get({ project, zone, instance }, options))
      const boot = disks.find((disk) => disk.boot === true)
      const name = lastSegment(boot?.source ?? '')
      if (boot?.autoDelete === true) {
        const kept = await call(compute.instances.setDiskAutoDelete({ project, zone, instance, deviceName: boot.deviceName ?? '', autoDelete: false }, options))
        await waitForCompute(clients, project, kept, { what: `keep the disk ${name}`, ...options })
      }
      const { labels, labelFingerprint } = await call(compute.disks.get({ project, zone, disk: name }, options))
      const requestBody = {
        labels: { ...labels, [stackLabel]: labelOf(stack), [releaseLabel]: String(release) },
        ...(labelFingerprint ? { labelFingerprint } : {}),
      }
      await waitForCompute(clients, project, await call(compute.disks.setLabels({ project, zone, resource: name, requestBody }, options)), {
        what: `label the disk ${name}`,
        ...options,
      })
      return `projects/${project}/zones/${zone}/disks/${name}`
    },
    async keptDisks(stack) {
      const compute = await clients.compute()
      const found: KeptDisk[] = []
      let pageToken: string | undefined
      do {
        const page = await call(compute.disks.list({ project, zone, ...(pageToken === undefined ? {} : { pageToken }) }, options))
        for (const { name, labels, users } of page.items ?? []) {
          const release = Number(labels?.[releaseLabel])
          if (labels?.[stackLabel] === labelOf(stack) && Number.isInteger(release)) found.push({ name: name ?? '', release, isUsed: (users ?? []).length > 0 })
        }
        pageToken = page.nextPageToken ?? undefined
      } while (pageToken !== undefined)
      return found
    },
    async deleteDisk(name) {
      const compute = await clients.compute()
      try {
        const operation = await call(compute.disks.delete({ project, zone, disk: name }, options))
        await waitForCompute(clients, project, operation, { what: `delete the disk ${name}`, ...options })
      } catch (error) {
        if (!isGone(error)) throw error
      }
    },
  }
}

function labelOf(stack: string): string {
  return stack
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .slice(0, mostLabelCharacters)
}
