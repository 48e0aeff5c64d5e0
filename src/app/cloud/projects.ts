/** The projects of a pocket cloud (Cloud Resource Manager v1, projects.list). */
import { KilnError } from '../../base/errors.ts'

interface Answer {
  readonly projects?: readonly { readonly projectId?: string; readonly lifecycleState?: string }[]
  readonly error?: { readonly message: string }
}

/** Ids of the active projects. @throws KilnError E_API */
export async function listProjects(url: string, token: string): Promise<readonly string[]> {
  const response = await fetch(`${url}/cloudresourcemanager.googleapis.com/v1/projects`, { headers: { authorization: `Bearer ${token}` } })
  const answer = (await response.json()) as Answer
  if (!response.ok) throw new KilnError('E_API', `the projects could not be listed: ${answer.error?.message ?? `status ${response.status}`}`)
  return (answer.projects ?? []).filter((project) => project.lifecycleState === 'ACTIVE').map((project) => project.projectId ?? '')
}
