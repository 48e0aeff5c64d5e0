/** Config section `server`: the production group, and how its releases go out. */
import { z } from 'zod'
import {
  AccountName,
  DomainName,
  LabelKey,
  LabelValue,
  MachineType,
  MetadataKey,
  MetadataValue,
  ResourceName,
  UrlPath,
  list,
  mapOf,
  oneOf,
  section,
  text,
  whole,
} from './fields.ts'
import { expected } from './problems.ts'

/** Metadata that the guest reads about templates, start-up and Kiln itself: not the config's to set. */
const reserved: readonly string[] = ['instance-template', 'created-by', 'kiln-warm-start']

const Share = z.number({ error: expected('a number of percent between 0 and 100') }).min(0, { error: expected('a number of percent between 0 and 100') })

const Canary = section('an object: { percent, bakeSeconds }', {
  percent: whole('a number of percent', 1, 99).default(10),
  bakeSeconds: whole('a number of seconds', 0, 86_400).default(60),
})

const freezeTime = 'HH:MM with `days`, else a time such as 2026-12-24T18:00:00Z'

/** Times at which no release goes out: once, or every week on some days. */
const Freeze = section('an object: { from, to, days, timeZone, why }', {
  from: text(freezeTime, /^.+$/),
  to: text(freezeTime, /^.+$/),
  days: list('days: Mon, Tue, …', oneOf(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])).optional(),
  timeZone: text('the name of a time zone such as Europe/Zurich', /^[A-Za-z0-9_+/-]+$/)
    .refine(isTimeZone, { error: expected('the name of a time zone such as Europe/Zurich') })
    .optional(),
  why: text('a text of one line: why nothing may go out', /^[^\r\n]{1,200}$/),
}).superRefine((freeze, context) => {
  for (const key of ['from', 'to'] as const) {
    const isRight = freeze.days === undefined ? !Number.isNaN(Date.parse(freeze[key])) && /^\d{4}-/.test(freeze[key]) : /^([01]\d|2[0-3]):[0-5]\d$|^24:00$/.test(freeze[key])
    if (!isRight) context.addIssue({ code: 'custom', path: [key], message: `expected ${freezeTime}, got ${JSON.stringify(freeze[key])}` })
  }
})

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name }).format(0)
    return true
  } catch {
    return false
  }
}

/** The production group behind a load balancer. */
export const Server = section('an object: { image, machineType, size, … }', {
  image: ResourceName,
  machineType: MachineType.default('e2-micro'),
  size: whole('a number', 1, 1000).default(1),
  serviceAccount: AccountName.optional(),
  domains: list('domain names', DomainName).default([]),
  metadata: mapOf(
    'metadata key -> value',
    MetadataKey.refine((key) => !reserved.includes(key), { error: `${reserved.join(', ')} are set by Kiln` }),
    MetadataValue,
  ).default({}),
  labels: mapOf('label -> value', LabelKey, LabelValue).default({}),
  strategy: oneOf(['rolling', 'canary', 'blue-green']).default('rolling'),
  canary: Canary.default({ percent: 10, bakeSeconds: 60 }),
  bakeSeconds: whole('a number of seconds', 0, 86_400).default(60),
  maxErrorPercent: Share.max(100, { error: expected('a number of percent between 0 and 100') }).default(1),
  versionPath: z.union([UrlPath, z.literal(false)], { error: expected('a path that starts with /, or false') }).default('/version'),
  drainSeconds: whole('a number of seconds', 0, 3600).default(30),
  keepReleases: whole('a number', 2, 1000).default(5),
  freezes: list('times at which nothing goes out', Freeze).default([]),
})
export type Server = z.output<typeof Server>
