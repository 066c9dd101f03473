/** The two kinds of record that leave the daemon, exactly as they stand in JSON. */

/**
 * Alarm state of a node.
 * `learning`: warming up after the first sight or a reboot; `normal`; `pending`: over the threshold, not yet long
 * enough; `anomalous`; `muted`: drained or in maintenance; `insufficient`: too little data to score; `silent`: no data.
 */
export const ALARM_STATES = [
  'learning',
  'normal',
  'pending',
  'anomalous',
  'muted',
  'insufficient',
  'silent',
] as const
export type AlarmState = (typeof ALARM_STATES)[number]

/** One metric's part in a window's score. */
export interface Contribution {
  metric: string
  statistic: string
  /** Raw value of the window, in the metric's unit; null where it is not a number. */
  observed: number | null
  /** What the model expected, in the metric's unit. */
  expected: number | null
  /** Share of the evidence, 0 … 1. */
  share: number
}

/** One for every window of every node. */
export interface FlagRecord {
  kind: 'flag'
  /** Version of this record form. */
  v: 1
  node: string
  /** Rack of the node, or null where neither tags nor name tell it. */
  rack: string | null
  /** ISO 8601, UTC, ms. */
  window_start: string
  window_end: string
  /** 1.0 is the threshold of every model; null when the window was not scored. */
  score: number | null
  /** Conformal p-value: share of calibration windows at least as strange; null when not scored. */
  p: number | null
  /** score ≥ 1. */
  anomalous: boolean
  state: AlarmState
  /** When the node entered `state` (a window end), ISO 8601. */
  since: string
  /** Nearest centre (operating mode), 0-based; null when not scored. */
  mode: number | null
  /** Soft assignment to `mode`, 0 … 1. */
  q: number | null
  /** Share of the expected samples that the window holds, 0 … 1. */
  coverage: number
  /** Metrics that carry most of the score, largest first; empty when not scored. */
  top: Contribution[]
  /** Content hash of the bundle: the first 12 hex digits of its sha256. */
  model: string
}

/** One for every change of a node's alarm state. */
export interface AlarmRecord {
  kind: 'alarm'
  v: 1
  node: string
  rack: string | null
  /** End of the window that brought the change, ISO 8601. */
  at: string
  from: AlarmState
  to: AlarmState
  /** When the node had entered `from`, ISO 8601. */
  since: string
  score: number | null
  p: number | null
  mode: number | null
  top: Contribution[]
  model: string
}
