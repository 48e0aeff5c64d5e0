/** Lines of `terraform … -json`. https://developer.hashicorp.com/terraform/internals/machine-readable-ui. Only the fields that are used are named. */
import { z } from 'zod'

const Resource = z.object({ addr: z.string(), resource_type: z.string() })
const Hook = z.object({ resource: Resource, action: z.string().default(''), elapsed_seconds: z.number().default(0) })

export const Diagnostic = z.object({
  severity: z.string(),
  summary: z.string(),
  detail: z.string().default(''),
  /** Of the resource that it is about. */
  address: z.string().optional(),
  range: z.object({ filename: z.string(), start: z.object({ line: z.number() }) }).optional(),
})
export type Diagnostic = z.output<typeof Diagnostic>

const HookMessage = z.object({ type: z.enum(['apply_start', 'apply_progress', 'apply_complete', 'apply_errored', 'refresh_start', 'provision_progress']), hook: Hook })
export type HookMessage = z.output<typeof HookMessage>

const UiMessage = z.discriminatedUnion('type', [
  HookMessage,
  z.object({ type: z.literal('diagnostic'), diagnostic: Diagnostic }),
  z.object({ type: z.literal('change_summary'), changes: z.object({ add: z.number(), change: z.number(), remove: z.number(), operation: z.string() }) }),
  z.object({ type: z.literal('log'), '@message': z.string() }),
  z.object({ type: z.literal('init_output'), '@message': z.string() }),
])
export type UiMessage = z.output<typeof UiMessage>

/** One line of output; undefined for messages that nothing here needs, and the text itself for what is no JSON (a crash, a wrapper script). */
export function parseMessage(line: string): UiMessage | { readonly type: 'text'; readonly text: string } | undefined {
  if (line.trim() === '') return undefined
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { type: 'text', text: line }
  }
  const message = UiMessage.safeParse(value)
  return message.success ? message.data : undefined
}
