/** The sections beside images, machines and storage: the repository that delivers, the database, sign-in, secrets. */
import { z } from 'zod'
import {
  AccountName,
  CollectionName,
  DomainName,
  FieldPath,
  FirestoreLocation,
  GitBranch,
  GithubEnvironment,
  GithubRepository,
  GithubRepositoryId,
  LocalPath,
  SecretName,
  SecretReference,
  list,
  mapOf,
  oneOf,
  section,
  text,
} from './fields.ts'
import { expected, problemsOf } from './problems.ts'
import type { FirestoreIndexInput } from './stack-input.ts'

/** The GitHub repository whose merges trigger a delivery. */
export const Github = section('an object: { repository, repositoryId, branch, environment }', {
  repository: GithubRepository,
  repositoryId: GithubRepositoryId.optional(),
  branch: GitBranch.default('main'),
  environment: GithubEnvironment.optional(),
})
export type Github = z.output<typeof Github>

/** As Firebase's own files say it: either an order, or that an array contains. */
const IndexField = section('a field: { fieldPath, order } or { fieldPath, arrayConfig }', {
  fieldPath: FieldPath,
  order: oneOf(['ASCENDING', 'DESCENDING']).optional(),
  arrayConfig: oneOf(['CONTAINS']).optional(),
}).refine((field) => (field.order === undefined) !== (field.arrayConfig === undefined), { error: 'expected either order or arrayConfig' })

export const FirestoreIndex = section('an index: { collectionGroup, queryScope, fields }', {
  collectionGroup: CollectionName,
  queryScope: oneOf(['COLLECTION', 'COLLECTION_GROUP']).default('COLLECTION'),
  fields: list('fields', IndexField).min(2, { error: 'expected at least two fields; Firestore indexes single fields by itself' }),
})
export type FirestoreIndex = z.output<typeof FirestoreIndex>

/** A union of the two would hide what is wrong inside a list. */
const Indexes = z
  .custom<string | FirestoreIndexInput[]>((value) => typeof value === 'string' || Array.isArray(value), {
    error: expected('a list of indexes, or the path of a file such as ./firestore.indexes.json'),
  })
  .transform((value, context): string | readonly FirestoreIndex[] => {
    const result = typeof value === 'string' ? LocalPath.safeParse(value) : z.array(FirestoreIndex).safeParse(value)
    if (result.success) return result.data
    context.issues.push(...problemsOf(result.error).map(({ path, message }) => ({ code: 'custom' as const, input: value, path: [...path], message })))
    return z.NEVER
  })

/** The Firestore database. */
export const Firestore = section('an object: { location, rules, indexes, deleteProtection }', {
  location: FirestoreLocation,
  rules: LocalPath.optional(),
  indexes: Indexes.default([]),
  deleteProtection: z.boolean({ error: expected('true or false') }).default(true),
})
export type Firestore = z.output<typeof Firestore>

const GoogleSignIn = section('an object: { clientId, clientSecret }', {
  clientId: text('the OAuth client id of the app, such as 1234-abc.apps.googleusercontent.com', /^[A-Za-z0-9._-]{1,256}$/),
  clientSecret: SecretReference,
})

/** Sign-in with Identity Platform. */
export const Auth = section('an object: { providers, authorizedDomains, google }', {
  providers: list('sign-in providers', oneOf(['email', 'phone', 'anonymous', 'google'])).min(1, { error: 'expected at least one way to sign in' }),
  authorizedDomains: list('domain names', DomainName).default([]),
  google: GoogleSignIn.optional(),
})
export type Auth = z.output<typeof Auth>

/** A value that programs read from Secret Manager. */
export const Secret = section('an object: { from, accessors, oldVersions }', {
  from: SecretReference,
  accessors: list('account names', AccountName).default([]),
  oldVersions: oneOf(['disable', 'destroy', 'keep']).default('disable'),
})
export type Secret = z.output<typeof Secret>
export const Secrets = mapOf('secret name -> secret', SecretName, Secret)
