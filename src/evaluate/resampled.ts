import type { Resampling } from './intervals.ts'

/** The figures that are resampled; names as in `Figures`. */
export const RESAMPLED = [
  'auroc',
  'averagePrecision',
  'bestF1',
  'precision',
  'recall',
  'falseFlagsPerDay',
] as const
export type ResampledFigure = (typeof RESAMPLED)[number]

/** One value a resample, NaN where the resample does not define it. */
export type Resampled = Record<ResampledFigure, Float64Array>

export interface ResampledWindows {
  /** NaN where not scored. */
  score: Float64Array
  label: Int8Array
  /** Which windows count, as indices into the other arrays and the resampling. */
  rows: Int32Array
}

const SECONDS_A_DAY = 86_400

/**
 * Figures of every resample, with the definitions of metrics.ts; a window counts as often as its block is drawn. The
 * windows are put in order once, so that a resample is one pass over them.
 *
 * The `!` behind an index says that the loop around it keeps the index within bounds.
 */
export function resample(
  windows: ResampledWindows,
  { block, blocks, weight }: Resampling,
  everySeconds: number,
): Resampled {
  const resamples = weight.length / blocks
  const steps = rank(windows, block)
  const counts = countFlags(windows, block, blocks)
  const result = Object.fromEntries(
    RESAMPLED.map((name) => [name, new Float64Array(resamples).fill(Number.NaN)]),
  ) as Resampled
  for (let b = 0; b < resamples; b++) {
    const drawn = weight.subarray(b * blocks, (b + 1) * blocks)
    const anomalous = dot(drawn, counts.anomalous)
    const normal = dot(drawn, counts.normal)
    const hits = dot(drawn, counts.hits)
    const falseFlags = dot(drawn, counts.falseFlags)
    if (normal > 0) result.falseFlagsPerDay[b] = (falseFlags / normal) * (SECONDS_A_DAY / everySeconds)
    if (hits + falseFlags > 0) result.precision[b] = hits / (hits + falseFlags)
    if (anomalous === 0) continue
    result.recall[b] = hits / anomalous
    const { doubleArea, precisionSum, bestF1 } = sweep(steps, drawn, anomalous)
    result.averagePrecision[b] = precisionSum / anomalous
    result.bestF1[b] = bestF1
    if (normal > 0) result.auroc[b] = doubleArea / (2 * anomalous * normal)
  }
  return result
}

/** Bits of a step beside its block. */
const ANOMALOUS = 1
/** Last of the windows with the same score. */
const LAST = 2
const SHIFT = 2

/** One pass from the highest score down. */
function sweep(
  steps: Int32Array,
  drawn: Uint16Array,
  anomalous: number,
): { doubleArea: number; precisionSum: number; bestF1: number } {
  let doubleArea = 0
  let precisionSum = 0
  let bestF1 = 0
  let [hits, falseFlags, lastHits, lastFalse] = [0, 0, 0, 0]
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!
    const times = drawn[step >> SHIFT]!
    if ((step & ANOMALOUS) !== 0) hits += times
    else falseFlags += times
    if ((step & LAST) === 0) continue
    doubleArea += (falseFlags - lastFalse) * (hits + lastHits)
    if (hits > lastHits) {
      precisionSum += ((hits - lastHits) * hits) / (hits + falseFlags)
      const f1 = (2 * hits) / (hits + falseFlags + anomalous)
      if (f1 > bestF1) bestF1 = f1
    }
    lastHits = hits
    lastFalse = falseFlags
  }
  return { doubleArea, precisionSum, bestF1 }
}

/** Known windows by falling score: block, class, and whether the next one has another score. */
function rank({ score, label, rows }: ResampledWindows, block: Int32Array): Int32Array {
  const known = rows.filter((row) => isKnown(score, label, row))
  // Native sorts need no comparator; the place of each window is looked up in the distinct scores.
  const distinct = Float64Array.from(known, (row) => -score[row]!).sort()
  let size = 0
  for (let i = 0; i < distinct.length; i++) {
    if (i === 0 || distinct[i] !== distinct[size - 1]) distinct[size++] = distinct[i]!
  }
  const placeOf = Int32Array.from(known, (row) => indexOf(distinct, size, -score[row]!))
  const ends = new Int32Array(size + 1)
  for (const place of placeOf) ends[place + 1]!++
  for (let i = 0; i < size; i++) ends[i + 1]! += ends[i]!
  const steps = new Int32Array(known.length)
  const next = ends.slice(0, size)
  for (let i = 0; i < known.length; i++) {
    const row = known[i]!
    const place = placeOf[i]!
    const at = next[place]!++
    const last = next[place] === ends[place + 1] ? LAST : 0
    steps[at] = (block[row]! << SHIFT) | (label[row] === 1 ? ANOMALOUS : 0) | last
  }
  return steps
}

function indexOf(sorted: Float64Array, size: number, value: number): number {
  let low = 0
  let high = size - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Windows of each kind in each block, at the threshold 1.0. */
function countFlags({ score, label, rows }: ResampledWindows, block: Int32Array, blocks: number) {
  const empty = (): Float64Array => new Float64Array(blocks)
  const counts = { anomalous: empty(), normal: empty(), hits: empty(), falseFlags: empty() }
  for (const row of rows) {
    if (!isKnown(score, label, row)) continue
    const at = block[row]!
    const isAnomalous = label[row] === 1
    counts[isAnomalous ? 'anomalous' : 'normal'][at]!++
    if (score[row]! >= 1) counts[isAnomalous ? 'hits' : 'falseFlags'][at]!++
  }
  return counts
}

function isKnown(score: Float64Array, label: Int8Array, row: number): boolean {
  return label[row] !== -1 && !Number.isNaN(score[row]!)
}

function dot(drawn: Uint16Array, counts: Float64Array): number {
  let sum = 0
  for (let i = 0; i < drawn.length; i++) sum += drawn[i]! * counts[i]!
  return sum
}
