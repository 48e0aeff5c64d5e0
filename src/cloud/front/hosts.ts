/** Which hosts the front speaks for. A request for one of them never leaves this machine, also when no room serves it. */

const suffixes = ['.googleapis.com', '.pkg.dev'] as const
const names = new Set(['googleapis.com', 'accounts.google.com', 'metadata.google.internal', 'metadata'])

/** True for Google's API hosts, without port, and for `extra` ones that a room serves under another owner's name. */
export function isGoogleHost(host: string, extra: ReadonlySet<string> = new Set()): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  return names.has(name) || extra.has(name) || suffixes.some((suffix) => name.endsWith(suffix))
}

/** Splits `host:port` of a CONNECT request (RFC 9110, 9.3.6), with IPv6 addresses in brackets. Undefined when it is not one. */
export function parseAuthority(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const port = Number(match[3])
  if (port < 1 || port > 65_535) return undefined
  return { host: match[1] ?? match[2] ?? '', port }
}
