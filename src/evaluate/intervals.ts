/**
 * Confidence intervals by the block bootstrap. Windows that follow one another are not independent (jobs, faults and the
 * score's own memory last for hours), nor are the nodes of one room; resampling single windows would make intervals
 * several times too narrow. So whole days are resampled with replacement, all nodes of a day together: blocks
 * that do not overlap (Carlstein 1986; Künsch 1989), the cross-section kept whole as in panels (Gonçalves 2011). The
 * nodes themselves are taken as given. Seeded, so that the same scores give the same intervals.
 */
import { createRandom } from '../model/random.ts'

/** UTC days; longer than the longest memory of the score (about 10 windows) and than most faults. */
const BLOCK_MS = 86_400_000
export const RESAMPLES = 500
/** With fewer blocks the ends of an interval would be those of two or three draws. */
const LEAST_BLOCKS = 5
const SEED = 20_260_301
/** Of both tails together: intervals cover 95 %. */
const OUTSIDE = 0.05
/** An interval is given when at least this share of the resamples have the figure (both classes were drawn). */
const LEAST_DEFINED = 0.8

export type Interval = [low: number, high: number]

/** How often each block is drawn in each resample. */
export interface Resampling {
  /** Block of each window. */
  block: Int32Array
  blocks: number
  /** RESAMPLES × blocks counts, row-major; empty when there are too few blocks. */
  weight: Uint16Array
}

/** `start`: window starts, ms since the epoch. */
export function drawResamples(start: Float64Array): Resampling {
  const days = Float64Array.from(new Set(start.map((ms) => Math.floor(ms / BLOCK_MS)))).sort()
  const index = new Map(Array.from(days, (day, i) => [day, i]))
  const block = Int32Array.from(start, (ms) => index.get(Math.floor(ms / BLOCK_MS)) ?? 0) // every day is in the index
  const blocks = days.length
  if (blocks < LEAST_BLOCKS) return { block, blocks, weight: new Uint16Array(0) }
  const random = createRandom(SEED)
  const weight = new Uint16Array(RESAMPLES * blocks)
  for (let b = 0; b < RESAMPLES; b++) {
    for (let draw = 0; draw < blocks; draw++) weight[b * blocks + random.integer(blocks)]!++ // within the row
  }
  return { block, blocks, weight }
}

/** The 95 % percentile interval of resampled figures; null when too many of them are NaN, that is not defined. */
export function interval(resampled: Float64Array): Interval | null {
  const defined = resampled.filter((value) => !Number.isNaN(value)).sort()
  if (defined.length === 0 || defined.length < LEAST_DEFINED * resampled.length) return null
  const at = (share: number): number => defined[Math.round(share * (defined.length - 1))]! // share ≤ 1
  return [at(OUTSIDE / 2), at(1 - OUTSIDE / 2)]
}
