/**
 * Google's protocol files, read when they are first needed: a service's file with its imports at the first call of the service,
 * and a whole package when an Any names a type of it. One tree holds all of them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'
import type { Service, Type } from 'protobufjs'

export interface Catalog {
  /** By full name, such as `google.iam.admin.v1.IAM`. Undefined when no such service is published. */
  service(fullName: string): Service | undefined
  /** By full name, such as `google.rpc.ErrorInfo`. */
  type(fullName: string): Type | undefined
  /** The full names of all services of a package. */
  servicesOf(packageName: string): readonly string[]
}

/** A package name becomes a folder, so it must be nothing but a name. */
const PACKAGE = /^(google|grafeas)(\.[a-z][a-z0-9_]*)+$/

/** Opens the catalog; reads nothing yet. */
export function createCatalog(): Catalog {
  const folder = dirname(createRequire(import.meta.url).resolve('google-proto-files/package.json'))
  const root = new protobuf.Root()
  // Imports are relative to the package's root, never to the importing file.
  root.resolvePath = (_origin, target) => join(folder, target)
  const unknownNames = new Set<string>()

  function filesOf(packageName: string): readonly string[] {
    if (!PACKAGE.test(packageName)) return []
    const packageFolder = packageName.replaceAll('.', '/')
    try {
      return readdirSync(join(folder, packageFolder))
        .filter((name) => name.endsWith('.proto'))
        .map((name) => `${packageFolder}/${name}`)
    } catch {
      return []
    }
  }

  function load(file: string): void {
    // Names stay as in the file: the JSON names are made by proto-json.ts, by the rules of protoc.
    root.loadSync(file, { keepCase: true })
  }

  /** Loads the files of the package in which `pattern` is found, and says whether there were any. */
  function loadMatching(packageName: string, pattern: RegExp): boolean {
    const found = filesOf(packageName).filter((file) => pattern.test(readFileSync(join(folder, file), 'utf8')))
    for (const file of found) load(file)
    return found.length > 0
  }

  function find<T>(fullName: string, look: (name: string) => T | undefined, declaration: (name: string) => RegExp): T | undefined {
    const known = look(fullName)
    if (known !== undefined || unknownNames.has(fullName)) return known
    const parts = fullName.split('.')
    // A nested type's name has capitalised parents: the package ends before the first of them.
    const end = parts.findIndex((part) => /^[A-Z]/.test(part))
    const name = parts[end]
    if (end > 0 && name !== undefined && /^\w+$/.test(name) && loadMatching(parts.slice(0, end).join('.'), declaration(name))) return look(fullName)
    // Bounded: names come from clients.
    if (unknownNames.size < 1000) unknownNames.add(fullName)
    return undefined
  }

  return {
    service: (fullName) =>
      find(
        fullName,
        (name) => asKind(root.lookup(absolute(name)), protobuf.Service),
        (name) => new RegExp(`^service\\s+${name}\\b`, 'm'),
      ),
    type: (fullName) =>
      find(
        fullName,
        (name) => asKind(root.lookup(absolute(name)), protobuf.Type),
        (name) => new RegExp(`^message\\s+${name}\\b`, 'm'),
      ),
    servicesOf(packageName) {
      const names = filesOf(packageName).flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(/^service\s+(\w+)/gm)].map((match) => match[1] ?? ''))
      return names.sort().map((name) => `${packageName}.${name}`)
    },
  }
}

function absolute(fullName: string): string {
  return `.${fullName}`
}

function asKind<T extends object>(found: object | null, kind: new (...args: never[]) => T): T | undefined {
  return found instanceof kind ? found : undefined
}
