/** Secrets of a stack: container, value by reference, and who may read it. */
import type { StackConfig } from '../config/schema.ts'
import type { DesiredResource } from '../engine/types.ts'
import { secretName } from '../resources/secret-version/resource.ts'
import { serviceAccountEmail } from '../resources/service-account/resource.ts'
import { resource, serviceAddress } from './compilation.ts'
import type { Compilation } from './compilation.ts'
import { secretSource } from './facts.ts'

const api = 'secretmanager.googleapis.com'

/** The APIs of the section. */
export function secretApis(config: StackConfig): readonly string[] {
  return Object.keys(config.secrets).length === 0 ? [] : [api]
}

export function compileSecrets({ config, facts, projectId, labels }: Compilation): readonly DesiredResource[] {
  return Object.entries(config.secrets).flatMap(([secretId, secret]) => {
    const container = resource('secret', secretId, { projectId, secretId, labels }, [serviceAddress(api)])
    const digest = facts.secretDigests?.[secretName({ projectId, secretId })]
    const value = { projectId, secretId, from: secretSource(secret.from, facts.stackDir), oldVersions: secret.oldVersions, ...(digest === undefined ? {} : { digest }) }
    const accessors = secret.accessors.map((accountId) => {
      const member = `serviceAccount:${serviceAccountEmail({ projectId, accountId })}`
      const props = { projectId, secretId, role: 'roles/secretmanager.secretAccessor', member }
      return resource('secret-iam-member', `${secretId}/${accountId}`, props, [container.address, `service-account/${accountId}`])
    })
    return [container, resource('secret-version', secretId, value, [container.address]), ...accessors]
  })
}

/** What a program that acts as the account reads: the values, and the right to them. */
export function secretsOfAccount(compilation: Compilation, account: string): readonly DesiredResource[] {
  const readable = Object.entries(compilation.config.secrets).flatMap(([name, secret]) => (secret.accessors.includes(account) ? [name] : []))
  return compileSecrets(compilation).filter((one) => readable.some((name) => one.address === `secret-version/${name}` || one.address === `secret-iam-member/${name}/${account}`))
}
