/** The failure capsule: what the instances of a failed release said, kept before the rollback takes them away. */
import { describeError } from '../base/errors.ts'
import { lookAt } from './watch.ts'
import { memberProblem, membersOn } from './gates.ts'
import type { GroupView } from './gates.ts'
import type { MemberFacts } from './fleet.ts'
import { capsuleFolder } from './ledger.ts'
import type { Release } from './ledger.schema.ts'
import type { Run } from './run.ts'

const mostInstances = 10

export interface Capsule {
  /** `gs://` links of its files. */
  readonly links: readonly string[]
  /** Link of the disk that was kept, when that was asked for and could be done. */
  readonly disk?: string
}

/**
 * Writes the capsule under `releases/NNNNNN/`: the group, and of each instance, the sick ones first, what it answers at its health path, its serial log, and
 * its journal as far as that is on the serial port. It never fails, since the rollback waits for it: what cannot be had is named in it, and it stops when
 * its time is over.
 */
export async function writeCapsule(run: Run, release: Release): Promise<Capsule> {
  const deadlineMs = run.clock.now() + run.timing.capsuleMs
  const links: string[] = []

  async function keep(file: string, content: () => Promise<string>): Promise<void> {
    if (run.clock.now() > deadlineMs) return
    const name = `${capsuleFolder(release.number)}${file}`
    try {
      await run.lock.keep()
      await run.store.write(name, await contentOrReason(content))
      links.push(`gs://${run.store.bucket}/${name}`)
    } catch (error) {
      run.emit({ type: 'note', release: release.number, text: `${file} could not be kept: ${describeError(error)}` })
    }
  }

  let view: GroupView | undefined
  await keep('group.json', async () => {
    view = await lookAt(run, release.group)
    return json(summaryOf(release, view))
  })
  const worstFirst = view === undefined ? [] : membersOn(view, release.template).toSorted((left, right) => rank(view, left) - rank(view, right))
  await Promise.all(
    worstFirst.slice(0, mostInstances).map(async ({ name }) => {
      let reading: Promise<string> | undefined
      const serial = (): Promise<string> => (reading ??= run.fleet.serial(name))
      await Promise.all([
        keep(`serial-${name}.txt`, serial),
        keep(`journal-${name}.txt`, async () => journalOf(await serial())),
        keep(`health-${name}.txt`, () => healthOf(run, name)),
      ])
    }),
  )
  const disk = run.keepDisk ? await keepDisk(run, release, worstFirst) : undefined
  return { links: links.toSorted(), ...(disk === undefined ? {} : { disk }) }
}

async function contentOrReason(content: () => Promise<string>): Promise<string> {
  try {
    return await content()
  } catch (error) {
    return `this could not be had: ${describeError(error)}\n`
  }
}

function rank(view: GroupView | undefined, member: MemberFacts): number {
  return view !== undefined && memberProblem(view, member) !== undefined ? 0 : 1
}

/** `[   12.345678] moshi-srv[312]: text`: as journald writes its lines to the console. */
const journalLine = /^\[\s*\d+\.\d+\] [^\s[\]]+\[\d+\]: /

/** What units and the server said, without what firmware, kernel and boot messages wrote to the serial port between it. */
export function journalOf(serial: string): string {
  const lines = serial.split(/\r?\n/).filter((line) => journalLine.test(line))
  if (lines.length === 0)
    return 'no line of the journal is on the serial port: the machine did not come so far, or its image does not forward it there (those that Kiln bakes do)\n'
  return `${lines.join('\n')}\n`
}

async function healthOf({ probes, fleet, target }: Run, instance: string): Promise<string> {
  if (probes.health === undefined) return "it was not asked: this machine reaches no instance by itself; the load balancer's words are in group.json\n"
  return probes.health({ instance, address: await fleet.address(instance), port: target.port })
}

/** Of the first instance that has one. The same instance again when a run that died had kept one already. */
async function keepDisk(run: Run, release: Release, worstFirst: readonly MemberFacts[]): Promise<string | undefined> {
  const { fleet, target } = run
  try {
    const kept = (await fleet.keptDisks(target.stack)).filter((disk) => disk.release === release.number).map(({ name }) => name)
    const before = worstFirst.filter(({ name }) => kept.includes(name))
    let problem = 'the release has no instance'
    for (const { name } of before.length > 0 ? before : worstFirst) {
      try {
        await run.lock.keep()
        return await fleet.keepDisk(name, target.stack, release.number)
      } catch (error) {
        problem = `${name}: ${describeError(error)}`
      }
    }
    throw new Error(problem)
  } catch (error) {
    run.emit({ type: 'note', release: release.number, text: `no disk could be kept: ${describeError(error)}` })
    return undefined
  }
}

/** Health states with the last answers where the cloud tells them, the state of each instance, and the group's own errors. */
function summaryOf(release: Release, view: GroupView): unknown {
  return {
    release: release.number,
    template: release.template,
    image: release.image,
    failure: release.failure,
    group: view.group ?? 'not there',
    instances: view.members.map((member) => ({ ...member, isOfThisRelease: member.template === release.template, problem: memberProblem(view, member) ?? 'none' })),
    loadBalancerHealth: view.backend ?? 'nothing balances',
    errors: view.errors.filter((error) => error.template === release.template),
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
