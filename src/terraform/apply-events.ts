/** Messages of `terraform apply -json` as the engine's events, so that the same tree is drawn for both engines. */
import type { ApplyFailure } from '../engine/apply.ts'
import type { Action, Address, EngineEvent, PlanNode } from '../engine/types.ts'
import { diagnosticError } from './errors.ts'
import type { DiagnosticPlace } from './errors.ts'
import type { Diagnostic, HookMessage, UiMessage } from './messages.ts'
import { addressOf } from './shown-plan.ts'

export interface ApplyWatch {
  onMessage(message: UiMessage): void
  /** Tells what is left to tell, once the program has ended. */
  finish(): ApplyOutcome
}

export interface ApplyOutcome {
  readonly done: readonly { readonly address: Address; readonly action: Action; readonly durationMs: number }[]
  readonly failures: readonly ApplyFailure[]
  /** What was planned and never begun. */
  readonly untouched: readonly Address[]
  /** Errors that are of no resource. */
  readonly general: readonly Diagnostic[]
}

interface Running {
  readonly action: Action
  readonly startedMs: number
  /** Deletion and creation of a replacement. */
  steps: number
}

/** Watches one apply of a plan's nodes. */
export function watchApply(component: string, nodes: readonly PlanNode[], place: DiagnosticPlace, onEvent: (event: EngineEvent) => void): ApplyWatch {
  const planned = new Map(nodes.map((node) => [node.address, node.action]))
  const running = new Map<Address, Running>()
  const errored = new Map<Address, Action>()
  const finished: { readonly address: Address; readonly action: Action; readonly durationMs: number }[] = []
  const failures: ApplyFailure[] = []
  const general: Diagnostic[] = []

  function onHook({ type, hook }: HookMessage): void {
    const address = addressOf(component, hook.resource.addr)
    const action = planned.get(address)
    if (action === undefined || action === 'noop') return
    const work = running.get(address)
    if (type === 'apply_start') {
      if (work !== undefined) return
      running.set(address, { action, startedMs: performance.now(), steps: action === 'replace' ? 2 : 1 })
      onEvent({ type: 'start', address, action })
    } else if (type === 'apply_progress') {
      if (hook.elapsed_seconds > 0) onEvent({ type: 'note', address, text: `still at it after ${hook.elapsed_seconds} s` })
    } else if (type === 'apply_complete' && work !== undefined) {
      work.steps -= 1
      if (work.steps > 0) {
        onEvent({ type: 'note', address, text: hook.action === 'delete' ? 'the old one is gone' : 'the new one is there' })
        return
      }
      running.delete(address)
      const durationMs = performance.now() - work.startedMs
      finished.push({ address, action, durationMs })
      onEvent({ type: 'done', address, action, durationMs })
    } else if (type === 'apply_errored') {
      running.delete(address)
      errored.set(address, action)
    }
  }

  function onDiagnostic(diagnostic: Diagnostic): void {
    if (diagnostic.severity !== 'error') return
    const address = diagnostic.address === undefined ? undefined : addressOf(component, diagnostic.address)
    const action = address === undefined ? undefined : (errored.get(address) ?? planned.get(address))
    if (address === undefined || action === undefined || failures.some((failure) => failure.address === address)) {
      general.push(diagnostic)
      return
    }
    errored.delete(address)
    fail(address, action, diagnosticError(diagnostic, place))
  }

  function fail(address: Address, action: Action, error: unknown): void {
    failures.push({ address, error })
    onEvent({ type: 'failed', address, action, error })
  }

  return {
    onMessage(message) {
      if (message.type === 'diagnostic') onDiagnostic(message.diagnostic)
      else if ('hook' in message) onHook(message)
    },
    finish() {
      for (const [address, action] of errored)
        fail(address, action, diagnosticError(general[0] ?? { severity: 'error', summary: 'it failed without saying why', detail: '' }, place))
      for (const [address, { action }] of running) {
        fail(address, action, diagnosticError({ severity: 'error', summary: 'it was not finished when Terraform ended', detail: '' }, place))
      }
      const touched = new Set([...finished.map((entry) => entry.address), ...failures.map((failure) => failure.address)])
      const untouched = nodes.filter((node) => node.action !== 'noop' && !touched.has(node.address)).map((node) => node.address)
      const because = failures[0]?.address
      if (because !== undefined) for (const address of untouched) onEvent({ type: 'skipped', address, because })
      return { done: finished, failures, untouched, general }
    },
  }
}
