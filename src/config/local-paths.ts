/** Checks that the files and folders which a config names are on this machine. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isServerImage } from './schema.images.ts'
import type { StackConfig } from './schema.ts'
import type { Problem } from './problems.ts'

interface Named {
  readonly path: readonly PropertyKey[]
  readonly local: string
  readonly want: 'file' | 'folder'
}

/** What is missing, or a folder where a file is wanted. `dir` is the folder of the config. */
export async function localPathProblems(config: StackConfig, dir: string): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  for (const named of namedPaths(config)) {
    const full = resolve(dir, named.local)
    const found = await stat(full).then(
      (entry) => (entry.isDirectory() ? 'folder' : 'file'),
      () => undefined,
    )
    if (found === named.want) continue
    problems.push({ path: named.path, message: found === undefined ? `there is no ${named.want} ${full}` : `expected a ${named.want}, but ${full} is a ${found}` })
  }
  return problems
}

function namedPaths(config: StackConfig): readonly Named[] {
  const paths: Named[] = []
  let needsPackage = false
  for (const [name, image] of Object.entries(config.images)) {
    if (!isServerImage(image)) continue
    if (image.python.length > 0) needsPackage = true
    for (const local of Object.keys(image.files)) paths.push({ path: ['images', name, 'files', local], local, want: 'file' })
  }
  if (needsPackage) paths.unshift({ path: ['package', 'source'], local: config.package.source, want: 'folder' })
  for (const [name, bucket] of Object.entries(config.buckets)) {
    for (const [object, local] of Object.entries(bucket.objects)) paths.push({ path: ['buckets', name, 'objects', object], local, want: 'file' })
  }
  const { firestore } = config
  if (firestore?.rules !== undefined) paths.push({ path: ['firestore', 'rules'], local: firestore.rules, want: 'file' })
  if (typeof firestore?.indexes === 'string') paths.push({ path: ['firestore', 'indexes'], local: firestore.indexes, want: 'file' })
  return paths
}
