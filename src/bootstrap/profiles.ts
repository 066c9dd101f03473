import { SCORE_ROWS, type Scorer, type Scores } from '../model/scorer.ts'
import type { Profiles } from '../model/scoring.ts'
import type { PartBlock, WindowStore } from '../windows/store.ts'
import type { Selection } from './select.ts'

/** Scores windows block by block, in order; `visit` gets the scores and the block. */
export async function scoreWindows(
  windows: AsyncIterable<PartBlock>,
  scorer: Scorer,
  visit: (scores: Scores, block: PartBlock) => void,
  signal?: AbortSignal,
): Promise<void> {
  for await (const block of windows) {
    signal?.throwIfAborted()
    // Row 0 of the scaler is for unknown nodes.
    const node = block.node.map((n) => n + 1)
    visit(await scorer.score(block.values, node, block.rows), block)
  }
}

/**
 * Mean and spread of the scaled features in each mode, over the training windows, and the mean squared residual of
 * each feature, over training and calibration windows (on training windows alone it would be too small). A window
 * counts for the features that it has: imputed values would make a feature that is often missing look steady.
 */
export async function learnProfiles(
  store: WindowStore,
  { inSample }: Pick<Selection, 'inSample'>,
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
  const visitTraining = (scores: Scores, { rows, values }: PartBlock): void => {
    addResiduals(scores, values, rows * d, residuals)
    for (let i = 0; i < rows; i++) {
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
  await scoreWindows(store.windows('train', SCORE_ROWS), scorer, visitTraining, signal)
  if (!inSample) {
    const visit = (scores: Scores, { rows, values }: PartBlock): void =>
      addResiduals(scores, values, rows * d, residuals)
    await scoreWindows(store.windows('calibration', SCORE_ROWS), scorer, visit, signal)
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
