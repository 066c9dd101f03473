import { Ajv } from 'ajv'
import Type from 'typebox'
import type { NodeState } from '../detect/detector.ts'
import { ALARM_STATES } from '../detect/records.ts'

/** What is kept of a node across restarts and changes of assignment. */
export interface StoredState extends NodeState {
  /** Partition that the node's samples come from; whoever reads it takes up the state. */
  partition: number
}

const StoredStateSchema = Type.Object({
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
  model: Type.String(),
  partition: Type.Number(),
})

const isStoredState = new Ajv().compile<StoredState>(StoredStateSchema)

/** A checkpointed state, or null when it is none that this version can use. */
export function parseNodeState(value: unknown): StoredState | null {
  return isStoredState(value) ? value : null
}
