import { Ajv } from 'ajv'
import Type from 'typebox'
import type { NodeState } from '../detect/detector.ts'
import { ALARM_STATES } from '../detect/records.ts'
import type { BootReading } from '../windows/pane.ts'

/** What is kept of a node across restarts and changes of assignment. */
export interface StoredState extends NodeState {
  /** Partition that the node's samples come from; whoever reads it takes up the state. */
  partition: number
  /** Newest reading of the node's boot time before `emittedToMs`, if it tells any. */
  boot?: BootReading | null
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
  boot: Type.Optional(
    Type.Union([Type.Null(), Type.Object({ seconds: Type.Number(), timeMs: Type.Number() })]),
  ),
})

const isStoredState = new Ajv().compile<StoredState>(StoredStateSchema)

/** A checkpointed state, or null when it is none that this version can use. */
export function parseNodeState(value: unknown): StoredState | null {
  return isStoredState(value) ? value : null
}
