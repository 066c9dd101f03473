import { SCORE_ROWS, type Scorer, type Scores } from '../model/scorer.ts'
import type { Profiles } from '../model/scoring.ts'
import type { WindowStore } from '../windows/store.ts'

/** Scores the given rows of the store in blocks, in order; `visit` gets the position of the block's first row. */
export async function scoreRows(
  store: WindowStore,
  rows: Int32Array,
  scorer: Scorer,
  visit: (first: number, count: number, scores: Scores) => void,
  signal?: AbortSignal,
): Promise<void> {
  const d = store.features
  const values = new Float64Array(SCORE_ROWS * d)
  const node = new Int32Array(SCORE_ROWS)
  for (let first = 0; first < rows.length; first += SCORE_ROWS) {
    signal?.throwIfAborted()
    const count = Math.min(SCORE_ROWS, rows.length - first)
    for (let i = 0; i < count; i++) {
      const row = rows[first + i]! // first + i < length
      store.readValues(row, 1, values.subarray(i * d, (i + 1) * d))
      node[i] = store.node[row]! + 1 // row 0 of the scaler is for unknown nodes
    }
    visit(first, count, await scorer.score(values, node, count))
  }
}

/**
 * Mean and spread of the scaled features in each mode, over the training windows, and the mean squared residual of
 * each feature, over training and calibration windows (on training windows alone it would be too small).
 */
export async function learnProfiles(
  store: WindowStore,
  train: Int32Array,
  calibration: Int32Array,
  scorer: Scorer,
  modes: number,
): Promise<Profiles> {
  const d = store.features
  const sums = new Float64Array(modes * d)
  const squares = new Float64Array(modes * d)
  const windows = new Float64Array(modes)
  const residual = new Float64Array(d)
  let residuals = 0
  await scoreRows(store, train, scorer, (_, count, scores) => {
    residuals += addResiduals(scores, count, d, residual)
    for (let i = 0; i < count; i++) {
      const mode = nearestMode(scores.q, i, modes)
      windows[mode]!++
      for (let f = 0; f < d; f++) {
        const value = scores.scaled[i * d + f]!
        sums[mode * d + f]! += value
        squares[mode * d + f]! += value * value
      }
    }
  })
  if (calibration !== train) {
    await scoreRows(store, calibration, scorer, (_, count, scores) => {
      residuals += addResiduals(scores, count, d, residual)
    })
  }
  const mean = new Float32Array(modes * d)
  const variance = new Float32Array(d)
  for (let mode = 0; mode < modes; mode++) {
    for (let f = 0; f < d; f++) {
      const at = mode * d + f
      // An empty mode gets a profile far outside the scaler's span, so that it is nobody's nearest.
      const average = windows[mode] === 0 ? EMPTY_PROFILE : sums[at]! / windows[mode]!
      mean[at] = average
      if (windows[mode]! > 0) {
        variance[f]! += Math.max(0, squares[at]! - windows[mode]! * average * average) / train.length
      }
    }
  }
  return { mean, variance, residual: Float32Array.from(residual, (sum) => sum / residuals) }
}

/** In scaled units, where windows lie between -4 and 5. */
const EMPTY_PROFILE = 1000

function addResiduals(scores: Scores, count: number, d: number, into: Float64Array): number {
  for (let i = 0; i < count * d; i++) into[i % d]! += scores.squaredResidual[i]!
  return count
}

function nearestMode(q: Float32Array, row: number, modes: number): number {
  let best = 0
  for (let j = 1; j < modes; j++) if (q[row * modes + j]! > q[row * modes + best]!) best = j
  return best
}
