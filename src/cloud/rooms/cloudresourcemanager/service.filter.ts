/** The filter of projects.list and the query of projects.search: `lifecycleState:ACTIVE id:moshi-*`, all terms must hold. */
import { invalidArgument } from '../../kernel/api-error.ts'
import type { Project } from '../../kernel/projects.ts'

/**
 * A test for projects. Fields: id or projectId, projectNumber, name or displayName, lifecycleState or state, labels.KEY (parent.* never matches here, as no project has one).
 * @throws ApiError 400 for a term of another form
 */
export function parseProjectFilter(text: string): (project: Project) => boolean {
  const terms = text.match(/(?:[^\s"]+|"[^"]*")+/g) ?? []
  const tests = terms.filter((term) => term !== 'AND').map((term) => parseTerm(term))
  return (project) => tests.every((test) => test(project))
}

function parseTerm(term: string): (project: Project) => boolean {
  const parts = /^([\w.-]+)[:=](.*)$/.exec(term)
  if (parts?.[1] === undefined) throw invalidArgument(`Field filter had an invalid value: ${JSON.stringify(term)} is not of the form field:value.`)
  const field = parts[1]
  const pattern = toPattern((parts[2] ?? '').replace(/^"(.*)"$/, '$1'))
  const read = reader(field)
  return (project) => {
    const value = read(project)
    return value !== undefined && pattern.test(value)
  }
}

function reader(field: string): (project: Project) => string | undefined {
  if (field.startsWith('labels.')) return (project) => project.labels[field.slice('labels.'.length)]
  if (field.startsWith('parent')) return () => undefined
  const readers: Readonly<Record<string, (project: Project) => string>> = {
    id: (project) => project.projectId,
    projectid: (project) => project.projectId,
    projectnumber: (project) => project.projectNumber,
    name: (project) => project.displayName,
    displayname: (project) => project.displayName,
    lifecyclestate: (project) => project.state,
    state: (project) => project.state,
  }
  const found = readers[field.toLowerCase()]
  if (found === undefined) throw invalidArgument(`Field filter had an invalid value: unknown field ${JSON.stringify(field)}.`)
  return found
}

/** Values match without regard to case; `*` stands for any text. */
function toPattern(value: string): RegExp {
  return new RegExp(
    `^${value
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
    'i',
  )
}
