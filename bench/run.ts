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
import { benchCloud } from './cloud/cloud.ts'
import { cloudReport } from './cloud/report.ts'
import { benchDeploy } from './deploy/deploy.ts'
import { deployReport } from './deploy/report.ts'

const benchmarks = ['bake', 'cloud', 'deploy'] as const
type Benchmark = (typeof benchmarks)[number]

const usage = `usage: node bench/run.ts [bake] [cloud] [deploy] [options]     (default: all)
  --json             the results as one JSON object on the last line of stdout
  --save             append each result to bench/results/BENCHMARK.jsonl
bake:
  --runs N           server-image bakes of Kiln (default 3)
  --packer-runs N    builds of Packer (default 1)
  --accelerator A    tcg (default) or kvm, for both sides
bake, deploy:
  --home DIR         keeps the caches of the baker for the next run; default: a temporary folder
cloud, deploy:
  --rounds N         measurements of each side for each kind of request (default 2)
  --seconds N        length of one measurement (default 3)
  --connections N    kept open, each with one request at a time (default 16)
cloud:
  --objects N        in Kiln's bucket of many (default 1000000)
`

interface Options {
  readonly chosen: readonly Benchmark[]
  readonly json: boolean
  readonly save: boolean
  readonly help: boolean
  readonly bake: { readonly runs: number; readonly packerRuns: number; readonly accelerator: Accelerator; readonly home?: string }
  readonly cloud: { readonly rounds: number; readonly seconds: number; readonly connections: number; readonly objects: number }
}

function options(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      runs: { type: 'string', default: '3' },
      'packer-runs': { type: 'string', default: '1' },
      accelerator: { type: 'string', default: 'tcg' },
      home: { type: 'string' },
      rounds: { type: 'string', default: '2' },
      seconds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '16' },
      objects: { type: 'string', default: '1000000' },
    },
  })
  const unknown = positionals.find((name) => !benchmarks.some((each) => each === name))
  if (unknown !== undefined) throw new TypeError(`there is no benchmark ${unknown}: ${benchmarks.join(', ')}`)
  const { accelerator } = values
  if (accelerator !== 'tcg' && accelerator !== 'kvm') throw new TypeError(`--accelerator is tcg or kvm, and not ${accelerator}`)
  return {
    chosen: positionals.length === 0 ? benchmarks : benchmarks.filter((name) => positionals.includes(name)),
    json: values.json,
    save: values.save,
    help: values.help,
    bake: {
      runs: count('--runs', values.runs),
      packerRuns: count('--packer-runs', values['packer-runs']),
      accelerator,
      ...(values.home === undefined ? {} : { home: resolve(values.home) }),
    },
    cloud: {
      rounds: count('--rounds', values.rounds),
      seconds: count('--seconds', values.seconds),
      connections: count('--connections', values.connections),
      objects: count('--objects', values.objects, 1000, 10_000_000),
    },
  }
}

function count(name: string, text: string, least = 1, most = 100): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value > most) throw new TypeError(`${name} is a whole number from ${least} to ${most}, and not ${text}`)
  return value
}

async function main(signal: AbortSignal): Promise<void> {
  const { chosen, json, save, help, bake, cloud } = options()
  if (help) {
    process.stdout.write(usage)
    return
  }
  const progress = { note: (text: string): void => void process.stderr.write(`${text}\n`) }
  const results: Partial<Record<Benchmark, object>> = {}
  const finish = async (name: Benchmark, result: object, report: string): Promise<void> => {
    results[name] = result
    if (!json) process.stdout.write(`\n${report}`)
    if (!save) return
    const folder = join(import.meta.dirname, 'results')
    await mkdir(folder, { recursive: true })
    await appendFile(join(folder, `${name}.jsonl`), `${JSON.stringify(result)}\n`)
  }
  if (chosen.includes('bake')) {
    const result = await benchBake({ ...bake, noChangeRuns: 5, progress, signal })
    await finish('bake', result, bakeReport(result))
  }
  if (chosen.includes('cloud')) {
    const result = await benchCloud({ ...cloud, progress, signal })
    await finish('cloud', result, cloudReport(result))
  }
  if (chosen.includes('deploy')) {
    const { rounds, seconds, connections } = cloud
    const result = await benchDeploy({ rounds, seconds, connections, ...(bake.home === undefined ? {} : { home: bake.home }), progress, signal })
    await finish('deploy', result, deployReport(result))
  }
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`)
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
