/** Project names of Python packages. https://packaging.python.org/en/latest/specifications/name-normalization/ (PEP 503) */

/** `Foo_Bar.baz` -> `foo-bar-baz`: the form under which the index knows a project. */
export function normalizeName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}

/** ASCII letters and digits, inside also `.`, `_` and `-`. */
export function isValidName(name: string): boolean {
  return name.length <= 256 && /^[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?$/i.test(name)
}
