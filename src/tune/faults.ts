/**
 * Synthetic faults: held-out normal windows, changed as faults of the field change them. A model that ranks them over the
 * untouched windows is one that sees such faults (model selection by synthetic anomalies: Goswami et al., "Unsupervised
 * Model Selection for Time-series Anomaly Detection", ICLR 2023).
 */
import type { Random } from '../model/random.ts'
import type { Scaler } from '../model/scaler.ts'
import type { FeatureSchema, Statistic } from '../windows/schema.ts'

/**
 * `shift`: the values of one metric move by a share of its training range (a sensor out of calibration, a fan that fails);
 * `spread`: one metric scatters more about its mean (a loose contact, an unsteady supply);
 * `frozen`: one sensor repeats one value, that of another time;
 * `mismatch`: a group of metrics shows another time of the same node, so that parts contradict each other (power of
 * a busy node, load of an idle one).
 */
export const FAULT_KINDS = ['shift', 'spread', 'frozen', 'mismatch'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface Fault {
  kind: FaultKind
  /** Share of the range (`shift`), factor of the spread (`spread`), share of the metrics (`mismatch`). */
  strength: number
}

/** Weak enough that no model finds all, strong enough that a good one finds most; `frozen` has no strength. */
export const FAULTS: readonly Fault[] = [
  { kind: 'shift', strength: 0.1 },
  { kind: 'shift', strength: 0.25 },
  { kind: 'shift', strength: 0.5 },
  { kind: 'spread', strength: 2 },
  { kind: 'spread', strength: 4 },
  { kind: 'spread', strength: 8 },
  { kind: 'frozen', strength: 1 },
  { kind: 'mismatch', strength: 0.1 },
  { kind: 'mismatch', strength: 0.25 },
  { kind: 'mismatch', strength: 0.5 },
]

/** Windows in raw units, NaN where missing: rows × d values and the node of each. */
export interface RawWindows {
  rows: number
  values: Float64Array
  /** Index into the scaler's nodes. */
  node: Int32Array
}

/**
 * Writes window `row` with the fault into `into` (d values). Returns false, with `into` untouched by the fault, when
 * the draw hit nothing that the fault could change: a missing metric, a spread of zero, the same values at both times.
 */
export function inject(
  fault: Fault,
  windows: RawWindows,
  row: number,
  schema: FeatureSchema,
  scaler: Scaler,
  random: Random,
  into: Float64Array,
): boolean {
  const d = into.length
  const source = windows.values.subarray(row * d, (row + 1) * d)
  into.set(source)
  const width = schema.statistics.length
  const metric = random.integer(schema.metrics.length)
  const own = into.subarray(metric * width, (metric + 1) * width)
  if (fault.kind === 'shift') {
    const range = (f: number): number => scaler.range[(windows.node[row]! + 1) * d + metric * width + f]!
    shift(own, schema.statistics, fault.strength * (random.uniform() < 0.5 ? -1 : 1), range)
  } else if (fault.kind === 'spread') {
    widen(own, schema.statistics, fault.strength)
  } else {
    const other = otherTime(windows, row, random)
    const values = windows.values.subarray(other * d, (other + 1) * d)
    if (fault.kind === 'frozen') {
      freeze(own, schema.statistics, values.subarray(metric * width, (metric + 1) * width))
    } else {
      for (let m = 0; m < schema.metrics.length; m++) {
        if (random.uniform() >= fault.strength) continue
        for (let f = m * width; f < (m + 1) * width; f++) into[f] = values[f]! // f < d
      }
    }
  }
  return into.some((value, f) => value !== source[f] && !Number.isNaN(value))
}

/** Adds one amount to all statistics of level; a missing value stays missing. */
function shift(
  own: Float64Array,
  statistics: readonly Statistic[],
  share: number,
  range: (f: number) => number,
): void {
  const first = statistics.findIndex(isLevel)
  if (first < 0) return
  const amount = share * range(first)
  statistics.forEach((statistic, f) => {
    if (isLevel(statistic)) own[f]! += amount // one value a statistic
  })
}

/** Variances, deviations and extremes as if each sample lay `factor` times as far from the mean. */
function widen(own: Float64Array, statistics: readonly Statistic[], factor: number): void {
  const at = statistics.indexOf('avg')
  const mean = at < 0 ? Number.NaN : own[at]!
  statistics.forEach((statistic, f) => {
    if (statistic === 'var') own[f]! *= factor ** 2
    if (statistic === 'std') own[f]! *= factor
    if ((statistic === 'max' || statistic === 'min') && !Number.isNaN(mean)) {
      own[f] = mean + factor * (own[f]! - mean)
    }
  })
}

/** All samples equal to one value, the mean (or the first level there is) of another time. */
function freeze(own: Float64Array, statistics: readonly Statistic[], other: Float64Array): void {
  const at = Math.max(statistics.indexOf('avg'), statistics.findIndex(isLevel))
  statistics.forEach((statistic, f) => {
    if (Number.isNaN(own[f]!)) return
    if (isLevel(statistic)) own[f] = other[at]!
    else own[f] = 0
  })
}

function isLevel(statistic: Statistic): boolean {
  return statistic === 'avg' || statistic === 'max' || statistic === 'min'
}

/** Another window of the same node, drawn from a few; `row` itself when the node has no other among them. */
function otherTime({ rows, node }: RawWindows, row: number, random: Random): number {
  for (let i = 0; i < OTHER_DRAWS; i++) {
    const other = random.integer(rows)
    if (other !== row && node[other] === node[row]) return other
  }
  return row
}

/** With 980 nodes interleaved, one draw in 980 hits the same node. */
const OTHER_DRAWS = 10_000
