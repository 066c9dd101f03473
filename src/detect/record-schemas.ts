/** JSON Schemas of the records that leave the daemon; their static types are those of `records.ts`. */
import Type from 'typebox'
import { STATISTICS } from '../windows/schema.ts'
import { ALARM_STATES } from './records.ts'

/** The form of `Date.prototype.toISOString`. */
const TIME_PATTERN = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$'

const time = (description: string) =>
  Type.String({ pattern: TIME_PATTERN, description: `${description} ISO 8601, UTC, ms.` })

const orNull = <T extends Type.TSchema>(type: T, description: string) =>
  Type.Union([type, Type.Null()], { description })

/** Unknown fields are allowed, so that a reader of version 1 accepts a later, longer version 1. */
const record = <P extends Type.TProperties>(kind: string, description: string, properties: P) =>
  Type.Object(properties, { title: `examon-dec ${kind} record, version 1`, description })

const share = Type.Number({ minimum: 0, maximum: 1 })
const state = (description: string) => Type.Enum([...ALARM_STATES], { description })

const ContributionSchema = Type.Object(
  {
    metric: Type.String({ description: 'Name of the metric.' }),
    statistic: Type.Unsafe<string>(Type.Enum([...STATISTICS], { description: 'Statistic of the metric.' })),
    observed: orNull(
      Type.Number(),
      "Raw value of the window, in the metric's unit; null where it is not a number.",
    ),
    expected: orNull(Type.Number(), "What the model expected, in the metric's unit."),
    share: Type.Number({ minimum: 0, maximum: 1, description: 'Share of the evidence, 0 … 1.' }),
  },
  { description: "One metric's part in a window's score." },
)

const node = Type.String({ minLength: 1, description: 'Name of the node.' })
const rack = orNull(Type.String(), 'Rack of the node; null where neither tags nor name tell it.')
const version = Type.Literal(1, { description: 'Version of this record form.' })
const score = orNull(
  Type.Number(),
  'How strange the window is; 1.0 is the threshold of every model; null when the window was not scored.',
)
const p = orNull(
  share,
  'Conformal p-value: share of calibration windows at least as strange; null when not scored.',
)
const mode = orNull(
  Type.Integer({ minimum: 0 }),
  'Nearest centre (operating mode), 0-based; null when not scored.',
)
const top = Type.Array(ContributionSchema, {
  description: 'Metrics that carry most of the score, largest first; empty when not scored.',
})
const model = Type.String({
  pattern: '^[0-9a-f]{12}$',
  description: 'Content hash of the bundle: the first 12 hex digits of its sha256.',
})

export const FlagRecordSchema = record('flag', 'One for every window of every node.', {
  kind: Type.Literal('flag'),
  v: version,
  node,
  rack,
  window_start: time('Start of the window.'),
  window_end: time('End of the window.'),
  score,
  p,
  anomalous: Type.Boolean({ description: 'score ≥ 1.' }),
  state: state('Alarm state of the node after this window.'),
  since: time('When the node entered `state` (a window end).'),
  mode,
  q: orNull(share, 'Soft assignment to `mode`, 0 … 1; null when not scored.'),
  coverage: Type.Number({
    minimum: 0,
    maximum: 1,
    description: 'Share of the expected samples that the window holds, 0 … 1.',
  }),
  top,
  model,
})

export const AlarmRecordSchema = record('alarm', "One for every change of a node's alarm state.", {
  kind: Type.Literal('alarm'),
  v: version,
  node,
  rack,
  at: time('End of the window that brought the change.'),
  from: state('State before the change.'),
  to: state('State after the change.'),
  since: time('When the node had entered `from`.'),
  score,
  p,
  mode,
  top,
  model,
})

/** File names of the published schemas, below `config/schemas/`. */
export const RECORD_SCHEMAS = {
  'flag.schema.json': FlagRecordSchema,
  'alarm.schema.json': AlarmRecordSchema,
} as const

/** The published file of a schema, to the byte. */
export function schemaText(schema: Type.TSchema): string {
  const { title, description, ...rest } = schema as Type.TSchema & { title: string; description: string }
  const dialect = 'https://json-schema.org/draft/2020-12/schema'
  return `${JSON.stringify({ $schema: dialect, title, description, ...rest }, null, 2)}\n`
}
