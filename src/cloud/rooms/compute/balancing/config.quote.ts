/** Users' texts as words of HAProxy's configuration (configuration manual, 2.2 "Quoting and escaping"; 8.2.6 log format). */

/** One word, whatever it holds. Control characters, which no word may have, are dropped. */
export function word(text: string): string {
  return `"${text.replaceAll(/\p{Cc}/gu, '').replaceAll(/[\\"$]/g, '\\$&')}"`
}

/** One word where HAProxy expands `%[…]`: a percent sign of the text stays one. */
export function fmt(text: string): string {
  return word(text.replaceAll('%', '%%'))
}

/** A format made of texts and of HAProxy's own expressions, which are given as `{ raw }`. */
export function join(...parts: readonly (string | { readonly raw: string })[]): string {
  return `"${parts.map((part) => (typeof part === 'string' ? fmt(part).slice(1, -1) : part.raw)).join('')}"`
}
