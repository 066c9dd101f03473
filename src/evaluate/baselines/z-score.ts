import { type Baseline, checkTraining, columnMeans, rowByRow } from './baseline.ts'

/** Standard deviations count as at least 1 % of a feature's scaled range: a constant that moves a little is not strange. */
const LEAST_DEVIATION = 0.01

/**
 * Largest z-score: over the features, the largest distance from the training rows' mean in units of their standard
 * deviation. Throws when there is no training row.
 */
export function fitZScore(train: Float32Array, n: number, d: number): Baseline {
  checkTraining('z-score', train, n, d, 1)
  const mean = columnMeans(train, n, d)
  const squares = new Float64Array(d)
  for (let row = 0, at = 0; row < n; row++) {
    for (let j = 0; j < d; j++, at++) squares[j]! += (train[at]! - mean[j]!) ** 2
  }
  const inverse = squares.map((sum) => 1 / Math.max(LEAST_DEVIATION, Math.sqrt(sum / n)))
  return rowByRow('largest z-score', d, (row) => {
    let largest = 0
    for (let j = 0; j < d; j++) largest = Math.max(largest, Math.abs(row[j]! - mean[j]!) * inverse[j]!)
    return largest
  })
}
