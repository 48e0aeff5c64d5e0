/** Which form of the simple index a caller gets (PEP 691, RFC 9110 section 12). */

export type IndexForm = 'json' | 'html'

export interface Negotiated {
  readonly form: IndexForm
  readonly contentType: string
}

const JSON_TYPE = 'application/vnd.pypi.simple.v1+json'
const HTML_TYPE = 'application/vnd.pypi.simple.v1+html'

/** What can be answered, in our order of preference among equals: plain browsers and old tools that accept everything get HTML. */
const offers: readonly (readonly [asked: string, answer: Negotiated])[] = [
  ['text/html', { form: 'html', contentType: 'text/html; charset=utf-8' }],
  [JSON_TYPE, { form: 'json', contentType: JSON_TYPE }],
  ['application/vnd.pypi.simple.latest+json', { form: 'json', contentType: JSON_TYPE }],
  [HTML_TYPE, { form: 'html', contentType: `${HTML_TYPE}; charset=utf-8` }],
  ['application/vnd.pypi.simple.latest+html', { form: 'html', contentType: `${HTML_TYPE}; charset=utf-8` }],
]

/** The types to name in a 406 answer. */
export const indexTypes = [JSON_TYPE, HTML_TYPE, 'text/html']

/** `format` is the query parameter and wins over the Accept header. Undefined: nothing that the caller accepts can be made (406). */
export function negotiate(accept: string | undefined, format?: string): Negotiated | undefined {
  // A plus sign in a query arrives as a space when the caller did not encode it.
  if (format !== undefined) return offers.find(([type]) => type === format.replaceAll(' ', '+').toLowerCase())?.[1]
  if (accept === undefined || accept.trim() === '') return offers[0]?.[1]
  const ranges = parseAccept(accept)
  let best: { readonly quality: number; readonly answer: Negotiated } | undefined
  for (const [type, answer] of offers) {
    const quality = qualityOf(type, ranges)
    if (quality > 0 && quality > (best?.quality ?? 0)) best = { quality, answer }
  }
  return best?.answer
}

interface MediaRange {
  readonly type: string
  readonly quality: number
}

function parseAccept(accept: string): MediaRange[] {
  return accept.split(',').flatMap((item) => {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    if (type === '') return []
    const asked = parameters.map((parameter) => /^q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(parameter)?.[1]).find((value) => value !== undefined)
    return [{ type, quality: asked === undefined ? 1 : Number(asked) }]
  })
}

/** The most specific range that fits decides. */
function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  for (const wanted of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const fitting = ranges.filter((range) => range.type === wanted)
    if (fitting.length > 0) return Math.max(...fitting.map((range) => range.quality))
  }
  return 0
}
