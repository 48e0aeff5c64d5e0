/** Reads which file imports what. Regular expressions are enough: the code style has no dynamic tricks, and the tidy test fails on what it cannot resolve. */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { layers } from './layers.ts'
import type { Layer } from './layers.ts'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

export interface Import {
  /** Path from the root of the repository. */
  readonly from: string
  readonly specifier: string
  /** Path from the root, for relative imports. */
  readonly to?: string
}

/** Every TypeScript file below a folder (path from the root), sorted. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort()
}

/** The static and dynamic imports of a file. */
export function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found: Import[] = []
  for (const match of text.matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^'"\n]*?(?:\n[^'"\n]*?)*?from\s+['"]([^'"]+)['"]|(?:^|\n)\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g,
  )) {
    const specifier = match[1] ?? match[2] ?? match[3] ?? ''
    if (specifier.startsWith('.')) found.push({ from: file, specifier, to: relative(root, resolve(root, dirname(file), specifier)) })
    else found.push({ from: file, specifier })
  }
  return found
}

/** The layer that a file of `src` belongs to. */
export function layerOf(file: string): Layer | undefined {
  const path = file.replace(/^src\//, '')
  return layers.filter((layer) => path.startsWith(`${layer.folder}/`)).sort((a, b) => b.folder.length - a.folder.length)[0]
}
