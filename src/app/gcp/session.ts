/** A stack, ready to be planned on Google Cloud: the session that every cloud has, Terraform, and its files. */
import { join } from 'node:path'
import type { Clients } from '../../client/clients.ts'
import { stateBucketName } from '../../compile/names.ts'
import { devVariables } from '../../synth/modules/root.ts'
import { createTerraform } from '../../terraform/driver.ts'
import type { RootModule, Terraform } from '../../terraform/driver.ts'
import { findTerraform } from '../../terraform/program.ts'
import { openGoogleCloud } from '../stack/cloud.ts'
import type { StackCloud } from '../stack/cloud.ts'
import { openSession } from '../stack/session.ts'
import type { StackSession } from '../stack/session.ts'
import type { VerbOptions } from '../up.ts'
import { requireAll } from './findings.ts'
import type { GcpFinding } from './findings.ts'
import { writeInfrastructure } from './files.ts'
import type { InfrastructureFiles } from './files.ts'
import { preflight } from './preflight.ts'
import type { Scope } from './scope.ts'
import type { StateBucket } from './state-bucket.ts'

export interface GoogleSession {
  readonly base: StackSession
  readonly clients: Clients
  readonly files: InfrastructureFiles
  readonly terraform: Terraform
  readonly bucket: StateBucket
  readonly findings: readonly GcpFinding[]
  /** The root module, with the images that new VMs begin with, and whether the development VM is there. */
  module(images: ReadonlyMap<string, string>, dev: Scope['dev']): RootModule
  /** The same before there is a bucket for its state. */
  previewModule(images: ReadonlyMap<string, string>, dev: Scope['dev']): RootModule
  close(): void
}

/**
 * Looks at everything that a run needs, then opens the stack. Writes the files of `ops/`, changes nothing on Google.
 * @throws KilnError E_PREFLIGHT; of the config, the package, the files
 */
export async function openGoogleSession(options: VerbOptions, cloud: StackCloud = openGoogleCloud()): Promise<GoogleSession> {
  const base = await openSession({ ...options, cloud })
  try {
    const { config } = base.stack
    const findings = await preflight({ config, desired: base.desired, clients: cloud.clients, signal: options.signal, env: process.env })
    requireAll(findings)
    for (const finding of findings) if (finding.state === 'person') options.note(`${finding.check}: ${finding.detail}\n  ${finding.remedy ?? ''}`)
    const files = await writeInfrastructure(base.stack, base.desired, options)
    const workDir = join(options.home.engine, 'terraform', base.name)
    const terraform = createTerraform({
      program: await findTerraform(),
      workDir,
      pluginCache: join(options.home.cache, 'terraform-providers'),
      signal: options.signal,
      note: options.note,
      ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    })
    const bucket = { name: stateBucketName(base.name), project: base.name, region: config.location.region }
    const variables = (images: ReadonlyMap<string, string>, dev: Scope['dev']): Readonly<Record<string, string>> => ({
      ...Object.fromEntries([...images].map(([family, image]) => [files.imageVariable(family), image])),
      [devVariables.isThere]: String(dev.isThere),
      ...(dev.image === undefined ? {} : { [devVariables.image]: dev.image }),
    })
    return {
      base,
      clients: cloud.clients,
      files,
      terraform,
      bucket,
      findings,
      module: (images, dev) => ({ name: 'terraform', dir: files.dir, backend: { bucket: bucket.name, prefix: 'terraform' }, variables: variables(images, dev) }),
      previewModule: (images, dev) => ({ name: 'preview', dir: files.dir, backend: { path: join(workDir, 'preview', 'none.tfstate') }, variables: variables(images, dev) }),
      close: () => base.close(),
    }
  } catch (error) {
    base.close()
    throw error
  }
}
