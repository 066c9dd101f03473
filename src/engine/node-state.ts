import { Ajv } from 'ajv'
import Type from 'typebox'
import type { NodeState } from '../detect/detector.ts'
import { ALARM_STATES } from '../detect/records.ts'

const NodeStateSchema = Type.Object({
  emittedToMs: Type.Number(),
  seenMs: Type.Number(),
  memory: Type.Array(Type.Number()),
  alarm: Type.Object({
    state: Type.Enum([...ALARM_STATES]),
    sinceMs: Type.Number(),
    over: Type.Number(),
    under: Type.Number(),
    unscored: Type.Number(),
    warmup: Type.Number(),
  }),
  rack: Type.Union([Type.String(), Type.Null()]),
  muted: Type.Boolean(),
})

const isNodeState = new Ajv().compile<NodeState>(NodeStateSchema)

/** A checkpointed state, or null when it is none that this version can use. */
export function parseNodeState(value: unknown): NodeState | null {
  return isNodeState(value) ? value : null
}
