import { type Calibration, combine, remember, SCALE_WEIGHTS, startMemory } from './memory.ts'

/** Normal windows in the order of time, node by node or interleaved. */
export interface CalibrationWindows {
  rows: number
  node: Int32Array
  /** rows × kinds of evidence, in the log domain. */
  evidence: Float32Array | Float64Array
}

export interface Calibrated extends Calibration {
  /** Combined evidence of the calibration windows, ascending, thinned to MAX_QUANTILES; for p-values. */
  combined: Float64Array
  windows: number
  /** Share of normal windows that the threshold lets over it, by the fitted tail. */
  falseFlagRate: number
}

/** More sorted values than this would not move a p-value by more than 1e-4. */
const MAX_QUANTILES = 10_000

/**
 * The tail starts at this quantile of the calibration windows: far enough out to be tail, with one window in twenty
 * left to fit it.
 */
const TAIL_QUANTILE = 0.95

/** Spreads below this (1 % of the evidence) would make differences in the third digit strange. */
const LEAST_SPREAD = 0.01

/** No threshold below three spreads, however quiet the calibration windows were. */
const LEAST_THRESHOLD = 3

/** With fewer windows a median and a tail say nothing. */
export const LEAST_WINDOWS = 20

/**
 * Learns centre and spread of the evidence at each time scale (median and MAD), and the threshold that a share
 * `falseFlagRate` of normal windows exceeds. Rates beyond the data are extrapolated with an exponential tail, the
 * peaks-over-threshold method with shape 0 (Pickands 1975; Balkema & de Haan 1974).
 */
export function calibrate(windows: CalibrationWindows, falseFlagRate: number): Calibrated {
  const kinds = windows.evidence.length / windows.rows
  const scales = SCALE_WEIGHTS.length
  const shortest = Array.from({ length: kinds }, (_, kind) =>
    centreAndSpread(
      Float64Array.from({ length: windows.rows }, (_, i) => windows.evidence[i * kinds + kind]!),
    ),
  )
  // Means start from, and are limited by, what the shortest scale says; their own spread is measured on top of that.
  const start: Calibration = {
    centre: shortest.flatMap(({ centre }) => Array<number>(scales).fill(centre)),
    spread: shortest.flatMap(({ spread }) => Array<number>(scales).fill(spread)),
    threshold: 1,
  }
  const means = Array.from({ length: kinds * scales }, () => new Float64Array(windows.rows))
  walk(windows, start, (memory, i) => {
    remember(memory, start, windows.evidence, i * kinds)
    for (let j = 0; j < memory.length; j++) means[j]![i] = memory[j]! // both of length kinds × scales
  })
  const learned = means.map(centreAndSpread)
  const calibration: Calibration = {
    centre: learned.map((s) => s.centre),
    spread: learned.map((s) => s.spread),
    threshold: 1,
  }
  const combined = new Float64Array(windows.rows)
  walk(windows, calibration, (memory, i) => {
    combined[i] = combine(memory, calibration, windows.evidence, i * kinds)
  })
  combined.sort()
  return {
    ...calibration,
    threshold: Math.max(LEAST_THRESHOLD, tailQuantile(combined, falseFlagRate)),
    combined: thinned(combined, MAX_QUANTILES),
    windows: windows.rows,
    falseFlagRate,
  }
}

/** Conformal p-value: the share of calibration windows at least as strange, counting the window itself. */
export function pValue(sorted: Float64Array, combined: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < combined) low = middle + 1
    else high = middle
  }
  return (1 + sorted.length - low) / (sorted.length + 1)
}

/** Visits windows in order with the memory of their node. */
function walk(
  windows: CalibrationWindows,
  calibration: Calibration,
  visit: (memory: Float64Array, i: number) => void,
): void {
  const memories = new Map<number, Float64Array>()
  for (let i = 0; i < windows.rows; i++) {
    const node = windows.node[i]! // i < rows
    let memory = memories.get(node)
    if (memory === undefined) {
      memory = startMemory(calibration)
      memories.set(node, memory)
    }
    visit(memory, i)
  }
}

function centreAndSpread(values: Float64Array): { centre: number; spread: number } {
  const centre = median(values)
  return { centre, spread: Math.max(LEAST_SPREAD, median(values.map((v) => Math.abs(v - centre)))) }
}

function median(values: Float64Array): number {
  const sorted = values.toSorted()
  const half = sorted.length >> 1
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** The value that a share `rate` exceeds: empirical up to TAIL_QUANTILE, an exponential tail beyond. */
function tailQuantile(sorted: Float64Array, rate: number): number {
  const first = Math.floor(TAIL_QUANTILE * sorted.length)
  const start = sorted[first]! // calibration needs LEAST_WINDOWS
  const tail = 1 - TAIL_QUANTILE
  if (rate >= tail) return sorted[Math.floor((1 - rate) * (sorted.length - 1))]!
  let excess = 0
  for (let i = first; i < sorted.length; i++) excess += sorted[i]! - start
  return start + (excess / (sorted.length - first)) * Math.log(tail / rate)
}

function thinned(sorted: Float64Array, most: number): Float64Array {
  if (sorted.length <= most) return sorted
  return Float64Array.from(
    { length: most },
    (_, i) => sorted[Math.floor(((i + 0.5) / most) * sorted.length)]!,
  )
}
