import { ModelError } from '../model/errors.ts'
import { coverage } from '../windows/coverage.ts'
import type { Metric } from '../windows/schema.ts'
import { PART, type Part, type WindowStore } from '../windows/store.ts'
import type { SelectionOptions } from './presets.ts'

/** How many windows serve for what; which ones, the store keeps. */
export interface Selection {
  train: number
  /** The chronological end of the span; without a holdout the training windows calibrate. */
  calibration: number
  inSample: boolean
  leftOut: { anomalous: number; coverage: number }
  /** First and last start of the training windows, ms since the epoch. */
  fromMs: number
  toMs: number
}

/** Which part of the store calibrates. */
export function calibrationPart({ inSample }: Selection): Part {
  return inSample ? 'train' : 'calibration'
}

/** Fewer windows make no model. */
export const LEAST_TRAINING_WINDOWS = 50
/** Fewer held-out windows make no calibration. */
export const LEAST_CALIBRATION_WINDOWS = 20

/** Windows looked at together. */
const READ_ROWS = 4096
/** Metrics that a message names at most. */
const NAMED_METRICS = 3

/**
 * Splits usable windows by time and assigns them in the store: the last `holdout` of the span calibrates, the rest
 * trains. `metrics` carry the expected samples that coverage is counted against.
 */
export function selectWindows(
  store: WindowStore,
  metrics: readonly Metric[],
  options: SelectionOptions,
): Selection {
  const leftOut = { anomalous: 0, coverage: 0 }
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  for (const { first, rows } of store.spans(READ_ROWS)) {
    const label = store.read('label', first, rows)
    const counts = store.read('counts', first, rows)
    const start = store.read('start', first, rows)
    const parts = new Uint8Array(rows).fill(PART.leftOut)
    for (let i = 0; i < rows; i++) {
      if (options.skipAnomalous && label[i] === 1) leftOut.anomalous++
      else if (coverage(metrics, counts, i * metrics.length) < options.minCoverage) leftOut.coverage++
      else {
        parts[i] = PART.train
        from = Math.min(from, start[i]!) // i < rows
        to = Math.max(to, start[i]!)
      }
    }
    store.assign(first, parts)
  }
  if (store.rows === 0) {
    const some = metrics.slice(0, NAMED_METRICS).map(({ name }) => name)
    const names = `${some.join(', ')}${metrics.length > some.length ? ', …' : ''}`
    throw new ModelError(
      'too_little_data',
      `no window of the history holds a value: each of the ${metrics.length} metrics (${names}) is NULL, NaN or infinite throughout`,
    )
  }
  const inSample = options.holdout === 0
  const boundary = inSample ? to : from + (1 - options.holdout) * (to - from)
  const split = splitAt(store, boundary)
  const train = split.train
  const calibration = inSample ? train : split.calibration
  const found = `${store.rows} windows in the history, ${leftOut.anomalous} of them labelled anomalous and ${leftOut.coverage} with too few samples`
  if (train < LEAST_TRAINING_WINDOWS) {
    throw new ModelError(
      'too_little_data',
      `${train} windows are left to train on, at least ${LEAST_TRAINING_WINDOWS} are needed (${found}); give more history`,
    )
  }
  if (calibration < LEAST_CALIBRATION_WINDOWS) {
    throw new ModelError(
      'too_little_data',
      `${calibration} windows are left to calibrate on, at least ${LEAST_CALIBRATION_WINDOWS} are needed (${found}); give more history or raise training.holdout`,
    )
  }
  return { train, calibration, inSample, leftOut, fromMs: split.fromMs, toMs: split.toMs }
}

/** Turns training windows that start after `boundary` into calibration windows. */
function splitAt(
  store: WindowStore,
  boundary: number,
): { train: number; calibration: number; fromMs: number; toMs: number } {
  const split = { train: 0, calibration: 0, fromMs: Number.POSITIVE_INFINITY, toMs: Number.NEGATIVE_INFINITY }
  for (const { first, rows } of store.spans(READ_ROWS)) {
    const start = store.read('start', first, rows)
    const parts = store.read('part', first, rows)
    for (let i = 0; i < rows; i++) {
      if (parts[i] === PART.leftOut) continue
      const at = start[i]! // i < rows
      if (at > boundary) {
        parts[i] = PART.calibration
        split.calibration++
      } else {
        split.train++
        split.fromMs = Math.min(split.fromMs, at)
        split.toMs = Math.max(split.toMs, at)
      }
    }
    store.assign(first, parts)
  }
  return split
}
