/** `kiln doctor --target gcp`. */
import { openGoogleCloud } from '../stack/cloud.ts'
import { openSession } from '../stack/session.ts'
import type { VerbOptions } from '../up.ts'
import type { GcpFinding } from './findings.ts'
import { preflight } from './preflight.ts'

/** What a run on Google Cloud needs, without a run. @throws KilnError of the config */
export async function examineGoogle(options: VerbOptions): Promise<readonly GcpFinding[]> {
  const cloud = openGoogleCloud()
  const base = await openSession({ ...options, cloud })
  try {
    return await preflight({ config: base.stack.config, desired: base.desired, clients: cloud.clients, signal: options.signal, env: process.env })
  } finally {
    base.close()
  }
}
