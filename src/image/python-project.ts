/** What Kiln must know of a Python project before and after its wheel is built. */
import { createHash } from 'node:crypto'
import { readFile, readdir, readlink, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { KilnError } from '../base/errors.ts'
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
  const text = await readTextIfExists(join(source, 'pyproject.toml'))
  if (text === undefined) throw noProject(source)
  const project = tomlTable(text, 'project')
  const name = stringValue(project, 'name')
  if (name !== undefined && !projectName.test(name)) {
    throw new KilnError('E_PACKAGE_INVALID', `the project name ${JSON.stringify(name)} in ${join(source, 'pyproject.toml')} is not valid (PEP 508)`, {
      hint: 'use ASCII letters, digits, ".", "-" and "_", with a letter or digit at both ends',
    })
  }
  const dynamic = /^\s*dynamic\s*=\s*\[[^\]]*["']version["']/m.test(project)
  if (name !== undefined && stringValue(project, 'version') === undefined && !dynamic) {
    throw new KilnError('E_PACKAGE_INVALID', `${join(source, 'pyproject.toml')} has no version for ${name}`, { hint: 'add `version = "0.1.0"` to the [project] table' })
  }
  const requires = /^\s*requires\s*=\s*\[([^\]]*)\]/m.exec(tomlTable(text, 'build-system'))?.[1] ?? ''
  const wanted = [...requires.matchAll(/["']\s*([A-Za-z0-9._-]+)/g)].map((match) => normalizeName(match[1] ?? ''))
  const backends: string[] = []
  for (const requirement of wanted) {
    if (['setuptools', 'wheel', 'pip'].includes(requirement)) continue
    const debian = backendPackages[requirement]
    if (debian === undefined)
      throw new KilnError('E_PACKAGE_INVALID', `${join(source, 'pyproject.toml')} needs ${requirement} to build, which Kiln does not bring`, {
        hint: `use one of: setuptools, ${Object.keys(backendPackages).join(', ')}`,
      })
    backends.push(debian)
  }
  return { name, version: stringValue(project, 'version'), backends: backends.sort() }
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

/** The text of one top-level TOML table, up to the next table header. */
function tomlTable(text: string, table: string): string {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.trim().replace(/\s*#.*$/, '') === `[${table}]`)
  if (start < 0) return ''
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => /^\s*\[[^\]]/.test(line) && !/^\s*\[\s*["']/.test(line))
  return rest.slice(0, end < 0 ? undefined : end).join('\n')
}

function stringValue(table: string, key: string): string | undefined {
  const match = new RegExp(`^\\s*${key}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'm').exec(table)
  return match?.[1] ?? match?.[2]
}

function noProject(source: string): KilnError {
  return new KilnError('E_PACKAGE_INVALID', `${source} has no pyproject.toml`, { hint: `point \`package.source\` at the folder of the Python project (now ${basename(source)})` })
}
