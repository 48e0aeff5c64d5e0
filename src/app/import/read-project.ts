/** The project itself, its billing account, and where its things are. */
import { zoneNames, isRegion, isZone } from '../../config/data/locations.ts'
import { KilnError } from '../../base/errors.ts'
import { all, allRepositories, lastPart, one } from './reading.ts'
import type { Part, Reader, Reading } from './reading.ts'

interface Project {
  readonly projectId?: string
  readonly projectNumber?: string
  readonly name?: string
  readonly lifecycleState?: string
}

/** @throws KilnError E_NOT_FOUND */
export async function findProject(reading: Omit<Reading, 'projectNumber'>): Promise<Project> {
  const project = await one<Project>({ ...reading, projectNumber: '' }, `https://cloudresourcemanager.googleapis.com/v1/projects/${encodeURIComponent(reading.projectId)}`)
  if (project !== undefined && project.lifecycleState === 'ACTIVE') return project
  throw new KilnError('E_NOT_FOUND', `there is no project ${reading.projectId}, or this account cannot see it`, { hint: 'look at the ids with: gcloud projects list' })
}

export const readProject: Reader = async (reading) => {
  const { projectId } = reading
  const { name } = await findProject(reading)
  const billing = await one<{ readonly billingAccountName?: string }>(reading, `https://cloudbilling.googleapis.com/v1/projects/${projectId}/billingInfo`)
  const billingAccount = lastPart(billing?.billingAccountName)
  return {
    section: {
      project: { id: projectId, ...(name === undefined || name === projectId ? {} : { name }), ...(billingAccount === '' ? {} : { billingAccount }) },
    },
  }
}

/** The region of the Python repository, else of machines, else of a bucket; the zone of machines. */
export const readLocation: Reader = async (reading): Promise<Part> => {
  const { projectId } = reading
  const base = `https://compute.googleapis.com/compute/v1/projects/${projectId}/aggregated`
  interface Zonal {
    readonly zone?: string
  }
  const scopes = [
    ...Object.values((await one<{ readonly items?: Record<string, { instances?: Zonal[] }> }>(reading, `${base}/instances`))?.items ?? {}).flatMap(
      (scope) => scope.instances ?? [],
    ),
    ...Object.values((await one<{ readonly items?: Record<string, { instanceGroupManagers?: Zonal[] }> }>(reading, `${base}/instanceGroupManagers`))?.items ?? {}).flatMap(
      (scope) => scope.instanceGroupManagers ?? [],
    ),
  ]
  const zone = scopes.map((scope) => lastPart(scope.zone)).find((name) => isZone(name))
  const repositories = await allRepositories(reading)
  const buckets = await all<{ readonly location?: string }>(reading, `https://storage.googleapis.com/storage/v1/b?project=${projectId}`, 'items')
  const candidates = [
    ...repositories.filter((repository) => repository.format === 'PYTHON').map((repository) => repository.name?.split('/')[3] ?? ''),
    ...(zone === undefined ? [] : [zone.slice(0, zone.lastIndexOf('-'))]),
    ...buckets.map((bucket) => (bucket.location ?? '').toLowerCase()),
  ]
  const region = candidates.find((name) => isRegion(name)) ?? 'us-central1'
  if (!isRegion(region)) return { section: {} }
  const comments: Record<string, string> = candidates.some((name) => isRegion(name)) ? {} : { location: 'nothing in the project says where it is' }
  return { section: { location: { region, ...(zone !== undefined && zoneNames(region).includes(zone) ? { zone } : {}) } }, comments }
}
