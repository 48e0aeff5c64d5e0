/**
 * The contract between the metadata server (this layer: sockets and HTTP) and whoever knows the facts (the compute room).
 * Paths and behaviour: https://cloud.google.com/compute/docs/metadata/querying-metadata
 */

/** The tree below /computeMetadata/v1/, in the JSON form of `?recursive=true` (camelCase keys, attributes as they are). */
export type MetadataTree = { readonly [key: string]: MetadataValue }
export type MetadataValue = string | number | boolean | readonly MetadataValue[] | { readonly [key: string]: MetadataValue }

export interface AccessToken {
  readonly accessToken: string
  readonly expiresInSeconds: number
}

export interface MetadataSource {
  /** The current tree: `{ instance: {...}, project: {...} }`, without tokens. */
  tree(): Promise<MetadataTree>
  /**
   * Directories that Google does not have, each reachable by its own path alone: listings and `?recursive=true` of the root stay as Google's,
   * so that no client meets a key that it does not know. Default: none.
   */
  ownDirectories?(): Promise<MetadataTree>
  /** Changes whenever `tree` does. The ETag that a guest sees is made from the part that it asked for, as on Google; this one saves making the tree again. */
  etag(): Promise<string>
  /** Resolves when the tree may have changed since the call, or when the signal aborts. */
  changed(signal: AbortSignal): Promise<void>
  /** A token for the VM's service account; undefined when the VM has none (404). `account`: "default" or an e-mail. */
  accessToken(account: string, scopes: readonly string[] | undefined): Promise<AccessToken | undefined>
  /** A signed OIDC token for an audience; undefined when the VM has no account (404). */
  identityToken(account: string, audience: string, format: 'standard' | 'full'): Promise<string | undefined>
  /** A guest wrote instance/guest-attributes/NAMESPACE/KEY. May refuse with a KilnError E_PERMISSION, which the guest sees as 403. */
  putGuestAttribute(namespace: string, key: string, value: string): Promise<void>
}

/** One listening socket, for one VM: the socket is the VM's identity. */
export interface MetadataServer {
  readonly socketPath: string
  close(): Promise<void>
}
