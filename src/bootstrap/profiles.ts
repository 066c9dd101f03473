import { SCORE_ROWS, type Scorer, type Scores } from '../model/scorer.ts'
import type { Profiles } from '../model/scoring.ts'
import type { WindowStore } from '../windows/store.ts'

/**
 * Scores the given rows of the store in blocks, in order; `visit` gets the position of the block's first row, and the
 * raw values (count × d) beside the scores.
 */
export async function scoreRows(
  store: WindowStore,
  rows: Int32Array,
  scorer: Scorer,
  visit: (first: number, count: number, scores: Scores, values: Float64Array) => void,
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
    visit(first, count, await scorer.score(values, node, count), values)
  }
}

/**
 * Mean and spread of the scaled features in each mode, over the training windows, and the mean squared residual of
 * each feature, over training and calibration windows (on training windows alone it would be too small). A window
 * counts for the features that it has: imputed values would make a feature that is often missing look steady.
 */
export async function learnProfiles(
  store: WindowStore,
  train: Int32Array,
  calibration: Int32Array,
  scorer: Scorer,
  modes: number,
  signal?: AbortSignal,
): Promise<Profiles> {
  const d = store.features
  const sums = new Float64Array(modes * d)
  const squares = new Float64Array(modes * d)
  const present = new Float64Array(modes * d)
  const windows = new Float64Array(modes)
  const residuals = { sum: new Float64Array(d), count: new Float64Array(d) }
  const visitTraining = (_: number, count: number, scores: Scores, values: Float64Array): void => {
    addResiduals(scores, values, count * d, residuals)
    for (let i = 0; i < count; i++) {
      const mode = nearestMode(scores.q, i, modes)
      windows[mode]!++
      for (let f = 0; f < d; f++) {
        if (Number.isNaN(values[i * d + f]!)) continue
        const value = scores.scaled[i * d + f]!
        sums[mode * d + f]! += value
        squares[mode * d + f]! += value * value
        present[mode * d + f]!++
      }
    }
  }
  await scoreRows(store, train, scorer, visitTraining, signal)
  if (calibration !== train) {
    const visit = (_: number, count: number, scores: Scores, values: Float64Array): void =>
      addResiduals(scores, values, count * d, residuals)
    await scoreRows(store, calibration, scorer, visit, signal)
  }
  const mean = new Float32Array(modes * d)
  const variance = new Float32Array(d)
  for (let f = 0; f < d; f++) {
    const total = sumOver(modes, (mode) => present[mode * d + f]!)
    const average = total === 0 ? 0 : sumOver(modes, (mode) => sums[mode * d + f]!) / total
    let spread = 0
    for (let mode = 0; mode < modes; mode++) {
      const at = mode * d + f
      // Without a window of the mode that has the feature, the mean of the others stands in.
      const profile = present[at] === 0 ? average : sums[at]! / present[at]!
      // An empty mode gets a profile far outside the scaler's span, so that it is nobody's nearest.
      mean[at] = windows[mode] === 0 ? EMPTY_PROFILE : profile
      spread += Math.max(0, squares[at]! - present[at]! * profile * profile)
    }
    variance[f] = total === 0 ? NEVER_SEEN : spread / total
  }
  const residual = Float32Array.from(residuals.sum, (sum, f) => {
    const count = residuals.count[f]! // both of length d
    return count === 0 ? NEVER_SEEN : sum / count
  })
  return { mean, variance, residual }
}

/** In scaled units, where windows lie between -4 and 5. */
const EMPTY_PROFILE = 1000
/** Variance of a feature without any value: nothing is known of it, so that it must not weigh. */
const NEVER_SEEN = Infinity

function addResiduals(
  scores: Scores,
  values: Float64Array,
  size: number,
  into: { sum: Float64Array; count: Float64Array },
): void {
  const d = into.sum.length
  for (let i = 0; i < size; i++) {
    if (Number.isNaN(values[i]!)) continue
    into.sum[i % d]! += scores.squaredResidual[i]!
    into.count[i % d]!++
  }
}

function sumOver(n: number, of: (i: number) => number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += of(i)
  return sum
}

function nearestMode(q: Float32Array, row: number, modes: number): number {
  let best = 0
  for (let j = 1; j < modes; j++) if (q[row * modes + j]! > q[row * modes + best]!) best = j
  return best
}
