/** Filters of time series, as far as they are equalities that all must hold. https://cloud.google.com/monitoring/api/v3/filters */
import { ApiError, invalidArgument } from '../../kernel/api-error.ts'

const condition = /^\s*([a-z_]+(?:\.[a-z_]+)+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|(\d+))\s*(?:AND\b|$)/i

/** Selector -> value. @throws ApiError 400 for what is no filter, 501 for operators and functions that are not here */
export function conditionsOf(filter: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  let rest = filter
  while (rest.trim() !== '') {
    const match = condition.exec(rest)
    if (match === null) {
      if (/\b(OR|NOT)\b|!=|[<>:]|=\s*[a-z_]+\(|[()]/i.test(rest.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')))
        throw new ApiError('UNIMPLEMENTED', `The pocket cloud's filters of time series are equalities joined by AND; this is none: ${rest.trim()}`)
      throw invalidArgument(`Field filter had an invalid value of "${filter}".`)
    }
    const [whole, name = '', text, number] = match
    found.set(name, text?.replaceAll(/\\(.)/g, '$1') ?? number ?? '')
    rest = rest.slice(whole.length)
  }
  return found
}
