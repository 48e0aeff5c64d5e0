/** This program's version, from package.json, so that it is written in one place. */
import { readFileSync } from 'node:fs'

interface PackageJson {
  readonly version: string
}

export const kilnVersion: string = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as PackageJson).version
