/** Permissions on instance templates and instance groups, which the roles of Compute Engine are put together from. */
function all(service: string, verbs: readonly string[]): readonly string[] {
  return verbs.map((verb) => `compute.${service}.${verb}`)
}

const services = ['instanceTemplates', 'instanceGroups', 'instanceGroupManagers', 'autoscalers'] as const

export const groupsRead = services.flatMap((service) => all(service, ['get', 'list']))
export const groupsUse = [...all('instanceTemplates', ['useReadOnly']), ...['instanceGroups', 'instanceGroupManagers'].flatMap((service) => all(service, ['use']))]
export const groupsWrite = [
  ...all('instanceTemplates', ['create', 'delete']),
  ...['instanceGroups', 'instanceGroupManagers', 'autoscalers'].flatMap((service) => all(service, ['create', 'delete', 'update'])),
]
/** Network administrators change groups, and make none. */
export const groupsUpdate = ['instanceGroups', 'instanceGroupManagers'].flatMap((service) => all(service, ['update', 'use']))
