/** The failure capsule: what the instances of a failed release said, kept before the rollback takes them away. */
import { describeError } from '../base/errors.ts'
import { lookAt } from './watch.ts'
import { memberProblem, membersOn } from './gates.ts'
import type { GroupView } from './gates.ts'
import { capsuleFolder } from './ledger.ts'
import type { Release } from './ledger.schema.ts'
import type { Run } from './run.ts'

const mostInstances = 10

/**
 * Writes the capsule under `releases/NNNNNN/` and gives its links. It never fails, since the rollback waits for it: what cannot be had is named in it,
 * and it stops when its time is over.
 */
export async function writeCapsule(run: Run, release: Release): Promise<readonly string[]> {
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
  await Promise.all(worstFirst.slice(0, mostInstances).map(({ name }) => keep(`serial-${name}.txt`, () => run.fleet.serial(name))))
  return links.toSorted()
}

async function contentOrReason(content: () => Promise<string>): Promise<string> {
  try {
    return await content()
  } catch (error) {
    return `this could not be had: ${describeError(error)}\n`
  }
}

function rank(view: GroupView | undefined, member: GroupView['members'][number]): number {
  return view !== undefined && memberProblem(view, member) !== undefined ? 0 : 1
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
