/**
 * How pip inside an image's root reaches an index on https: through the proxy of this machine, trusting what this machine trusts (the root may
 * have no certificates of its own). A bake has nothing else of the caller's environment; what is fetched is fixed by hash.
 */
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { readTextIfExists } from '../../host/files.ts'

const proxyVariables = ['HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'] as const
const trustVariables = ['PIP_CERT', 'REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE'] as const
const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'] as const
const bundleName = 'ca.pem'

type Environment = Readonly<Record<string, string | undefined>>

/** Variables for pip. `scratch` is the folder of `writeTrust` as pip sees it. */
export function indexEnvironment(indexUrl: string, scratch: string, env: Environment = process.env): Readonly<Record<string, string>> {
  if (!indexUrl.startsWith('https:')) return {}
  const proxies = proxyVariables.flatMap((name) => ((env[name] ?? '') === '' ? [] : [[name, env[name] ?? ''] as const]))
  return { ...Object.fromEntries(proxies), REQUESTS_CA_BUNDLE: join(scratch, bundleName) }
}

/** Copies what this machine trusts into the scratch folder. */
export async function writeTrust(indexUrl: string, scratch: string, env: Environment = process.env): Promise<void> {
  if (!indexUrl.startsWith('https:')) return
  for (const path of [...trustVariables.map((name) => env[name] ?? ''), ...systemBundles]) {
    const text = path === '' ? undefined : await readTextIfExists(path)
    if (text === undefined) continue
    await writeFile(join(scratch, bundleName), text)
    return
  }
}
