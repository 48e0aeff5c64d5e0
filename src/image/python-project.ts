/** What Kiln must know of a Python project before and after its wheel is built. */
import { createHash } from 'node:crypto'
import { readFile, readdir, readlink, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parse } from 'smol-toml'
import { z } from 'zod'
import { KilnError, describeError } from '../base/errors.ts'
import { exists, readTextIfExists } from '../host/files.ts'
import { zipEntries } from './zip.ts'

/** Names valid for projects: PEP 508. */
const projectName = /^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$/i

/** Debian packages that have the build backends which projects name in `build-system.requires`; setuptools is always there. */
const backendPackages: Readonly<Record<string, string>> = {
  'flit-core': 'flit',
  hatchling: 'python3-hatchling',
  'poetry-core': 'python3-poetry-core',
  'setuptools-scm': 'python3-setuptools-scm',
  pybind11: 'python3-pybind11',
}

const ignoredFolders = new Set(['__pycache__', '.git', '.hg', '.venv', 'venv', '.tox', '.nox', '.pytest_cache', '.mypy_cache', '.ruff_cache', 'build', 'dist', 'node_modules'])

/** True for what never goes into a build: caches, version control, results of earlier builds. */
export function isIgnored(name: string): boolean {
  return ignoredFolders.has(name) || name.endsWith('.egg-info') || name.endsWith('.pyc')
}

/** PEP 503: runs of '-', '_' and '.' are one '-', lower case. */
export function normalizeName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}

/**
 * A digest over names, executable bits and bytes of a project's files, without what `isIgnored` names. Fast: used by every plan.
 * @throws KilnError E_PACKAGE_INVALID when the folder has no pyproject.toml.
 */
export async function sourceDigest(source: string): Promise<string> {
  if (!(await exists(join(source, 'pyproject.toml')))) throw noProject(source)
  const hash = createHash('sha256')
  await addFolder(hash, source, '')
  return hash.digest('hex')
}

async function addFolder(hash: ReturnType<typeof createHash>, root: string, folder: string): Promise<void> {
  const entries = (await readdir(join(root, folder), { withFileTypes: true })).filter((entry) => !isIgnored(entry.name)).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await addFolder(hash, root, path)
    else if (entry.isSymbolicLink()) hash.update(`link\0${path}\0${await readlink(join(root, path))}\0`)
    else if (entry.isFile()) {
      const [bytes, facts] = await Promise.all([readFile(join(root, path)), stat(join(root, path))])
      hash.update(`file\0${path}\0${facts.mode & 0o111 ? 'x' : '-'}\0${bytes.length}\0`).update(bytes)
    }
  }
}

export interface ProjectFacts {
  readonly name: string | undefined
  /** Undefined when only the build knows it (`dynamic`, PEP 621). */
  readonly version: string | undefined
  /** Debian packages to install beside setuptools. */
  readonly backends: readonly string[]
}

/**
 * Reads the parts of pyproject.toml that matter before a build. The build backend reads all of it and has the last word.
 * @throws KilnError E_PACKAGE_INVALID: no pyproject.toml, a name that PEP 508 does not allow, no version, an unknown build requirement.
 */
export async function readProject(source: string): Promise<ProjectFacts> {
  const path = join(source, 'pyproject.toml')
  const text = await readTextIfExists(path)
  if (text === undefined) throw noProject(source)
  const { project, 'build-system': buildSystem } = parseProject(text, path)
  const { name, version } = project
  if (name !== undefined && !projectName.test(name)) {
    throw new KilnError('E_PACKAGE_INVALID', `the project name ${JSON.stringify(name)} in ${path} is not valid (PEP 508)`, {
      hint: 'use ASCII letters, digits, ".", "-" and "_", with a letter or digit at both ends',
    })
  }
  if (name !== undefined && version === undefined && !project.dynamic.includes('version')) {
    throw new KilnError('E_PACKAGE_INVALID', `${path} has no version for ${name}`, { hint: 'add `version = "0.1.0"` to the [project] table' })
  }
  const backends: string[] = []
  for (const requirement of buildSystem.requires) {
    const needed = normalizeName(/^\s*([A-Za-z0-9._-]+)/.exec(requirement)?.[1] ?? requirement)
    if (['setuptools', 'wheel', 'pip'].includes(needed)) continue
    const debian = backendPackages[needed]
    if (debian === undefined) {
      throw new KilnError('E_PACKAGE_INVALID', `${path} needs ${needed} to build, which Kiln does not bring`, {
        hint: `use one of: setuptools, ${Object.keys(backendPackages).join(', ')}`,
      })
    }
    backends.push(debian)
  }
  return { name, version, backends: backends.sort() }
}

/** The keys of pyproject.toml that are read here (PEP 518, PEP 621); projects without a `project` table leave them to their backend. */
const Project = z.object({
  project: z.object({ name: z.string().optional(), version: z.string().optional(), dynamic: z.array(z.string()).default([]) }).default({ dynamic: [] }),
  'build-system': z.object({ requires: z.array(z.string()).default([]) }).default({ requires: [] }),
})

function parseProject(text: string, path: string): z.output<typeof Project> {
  try {
    return Project.parse(parse(text))
  } catch (error) {
    const reason = error instanceof z.ZodError ? error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ') : describeError(error)
    throw new KilnError('E_PACKAGE_INVALID', `${path} cannot be read: ${reason}`, { hint: 'correct the file; PEP 621 describes its [project] table', cause: error })
  }
}

export interface WheelFacts {
  readonly name: string
  readonly version: string
  readonly consoleScripts: Readonly<Record<string, string>>
}

/**
 * What a wheel says about itself, checked: PEP 427 file name, PEP 566 metadata, entry points whose module is in the wheel.
 * @throws KilnError E_PACKAGE_INVALID.
 */
export function readWheel(fileName: string, bytes: Buffer): WheelFacts {
  const entries = zipEntries(bytes)
  const names = new Set(entries.map((entry) => entry.name))
  const text = (suffix: string): string | undefined =>
    entries
      .find((entry) => new RegExp(`^[^/]+\\.dist-info/${suffix}$`).test(entry.name))
      ?.read()
      .toString('utf8')
  const metadata = text('METADATA')
  const name = /^Name: (.+)$/m.exec(metadata ?? '')?.[1]?.trim()
  const version = /^Version: (.+)$/m.exec(metadata ?? '')?.[1]?.trim()
  if (name === undefined || version === undefined) throw new KilnError('E_PACKAGE_INVALID', `the wheel ${fileName} has no name or version in its metadata`)
  if (!projectName.test(name) || name === 'UNKNOWN')
    throw new KilnError('E_PACKAGE_INVALID', `the project name ${JSON.stringify(name)} is not valid (PEP 508)`, { hint: 'set `name` in the [project] table of pyproject.toml' })
  const consoleScripts: Record<string, string> = {}
  const section = /^\[console_scripts\]$([\s\S]*?)(?=^\[|$(?![\s\S]))/m.exec(text('entry_points\\.txt') ?? '')?.[1] ?? ''
  for (const [, script, target] of section.matchAll(/^\s*([^=\s]+)\s*=\s*(\S+)/gm)) {
    const module = (target ?? '').split(':')[0] ?? ''
    const path = module.replaceAll('.', '/')
    if (![`${path}.py`, `${path}/__init__.py`].some((file) => names.has(file)) && ![...names].some((file) => file.startsWith(`${path}.`) && file.endsWith('.so'))) {
      throw new KilnError('E_PACKAGE_INVALID', `the entry point ${script} of ${name} needs the module ${module}, which is not in the wheel`, {
        hint: 'correct [project.scripts] in pyproject.toml, or the package list of the build backend',
      })
    }
    consoleScripts[script ?? ''] = target ?? ''
  }
  return { name: normalizeName(name), version, consoleScripts }
}

function noProject(source: string): KilnError {
  return new KilnError('E_PACKAGE_INVALID', `${source} has no pyproject.toml`, { hint: `point \`package.source\` at the folder of the Python project (now ${basename(source)})` })
}
