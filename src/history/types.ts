import type { WindowBlock } from '../windows/block.ts'
import type { FeatureSchema, Statistic } from '../windows/schema.ts'

export type Layout = 'wide-samples' | 'wide-windows' | 'exadata'

/** What windows are asked for; metrics carry the sensors that each pools. */
export type WindowRequest = Pick<
  FeatureSchema,
  'lengthSeconds' | 'everySeconds' | 'statistics' | 'ddof' | 'metrics'
>

/** History, opened: what its files hold. Only metadata is in memory. */
export interface History {
  layout: Layout
  files: string[]
  /** Node names, sorted; blocks refer to them by index. */
  nodes: string[]
  /** Numeric sensors (metric names) found, in file order. */
  sensors: string[]
  /** True when any file carries labels. */
  labelled: boolean
  /** First and last time stamp, ms since the epoch. */
  fromMs: number
  toMs: number
  /** For `wide-windows`: statistics, ddof and spacing that the files fix; null where windows are still to be built. */
  fixed: { statistics: Statistic[]; ddof: 0 | 1; lengthSeconds: number } | null
  /**
   * All windows, ordered by (start, node), in blocks of at most `blockRows` rows (default 1024). Bounded memory
   * whatever the size of the history. Windows in which no requested metric has a sample are left out.
   */
  windows(
    request: WindowRequest,
    options?: { blockRows?: number; signal?: AbortSignal },
  ): AsyncIterable<WindowBlock>
  /**
   * All raw samples in time order (for replay), only for layouts that hold samples; throws for `wide-windows`.
   * node indexes `nodes`, sensor indexes `sensors`. NaN/NULL values are left out.
   */
  samples(options?: { signal?: AbortSignal }): AsyncIterable<{
    count: number
    node: Int32Array
    sensor: Int32Array
    value: Float64Array
    timeMs: Float64Array
  }>
  close(): void
}
