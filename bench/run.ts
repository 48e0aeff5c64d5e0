/**
 * `make bench`: every benchmark, each against a named peer on the same work in one run. Progress goes to stderr, the result to stdout.
 * Speed is measured and shown, never asserted: this fails only when something does not work or the two sides did not do the same.
 */
import { appendFile, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { describeError, isKilnError } from '../src/base/errors.ts'
import type { Accelerator } from '../src/vm/accelerator.ts'
import { benchBake } from './bake/bake.ts'
import { bakeReport } from './bake/report.ts'

const usage = `usage: node bench/run.ts [options]
  --json             the results as one JSON object on the last line of stdout
  --runs N           server-image bakes of Kiln (default 3)
  --packer-runs N    builds of Packer (default 1)
  --accelerator A    tcg (default) or kvm, for both sides
  --home DIR         a data folder to use and keep; default: a temporary one
  --save             append the result to bench/results/bake.jsonl
`

function options(): { json: boolean; save: boolean; help: boolean; runs: number; packerRuns: number; accelerator: Accelerator; home: string | undefined } {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      runs: { type: 'string', default: '3' },
      'packer-runs': { type: 'string', default: '1' },
      accelerator: { type: 'string', default: 'tcg' },
      home: { type: 'string' },
    },
  })
  const { accelerator } = values
  if (accelerator !== 'tcg' && accelerator !== 'kvm') throw new TypeError(`--accelerator is tcg or kvm, and not ${accelerator}`)
  return {
    json: values.json,
    save: values.save,
    help: values.help,
    runs: count('--runs', values.runs),
    packerRuns: count('--packer-runs', values['packer-runs']),
    accelerator,
    home: values.home === undefined ? undefined : resolve(values.home),
  }
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 100) throw new TypeError(`${name} is a whole number from 1 to 100, and not ${text}`)
  return value
}

async function main(signal: AbortSignal): Promise<void> {
  const { json, save, help, home, ...counts } = options()
  if (help) {
    process.stdout.write(usage)
    return
  }
  const progress = { note: (text: string): void => void process.stderr.write(`${text}\n`) }
  const bake = await benchBake({ ...counts, noChangeRuns: 5, ...(home === undefined ? {} : { home }), progress, signal })
  process.stdout.write(json ? `${JSON.stringify({ bake })}\n` : `\n${bakeReport(bake)}`)
  if (!save) return
  const folder = join(import.meta.dirname, 'results')
  await mkdir(folder, { recursive: true })
  await appendFile(join(folder, 'bake.jsonl'), `${JSON.stringify(bake)}\n`)
}

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort())
try {
  await main(stop.signal)
} catch (error) {
  const detail = isKilnError(error)
    ? [error.detail, error.hint]
        .filter((text) => text !== undefined)
        .map((text) => `\n${text}`)
        .join('')
    : ''
  process.stderr.write(stop.signal.aborted ? 'stopped; everything is cleaned up\n' : `bench failed: ${describeError(error)}${detail}\n`)
  process.exitCode = stop.signal.aborted ? 130 : 1
}
