import { type Baseline, checkRows, checkScores, checkTraining, columnMeans } from './baseline.ts'

const NAME = 'ECOD'

/**
 * ECOD (Li et al. 2022, algorithm 1): negative log of the empirical tail probability of each feature, summed over the
 * features for the left tails, for the right tails, and for the tail that each feature's skewness points to; the
 * largest sum counts. The distributions are those of the training rows with the scored row added to them, so that no
 * tail is empty and a row's score does not depend on the others that are scored. Holds 4·n·d bytes. Throws when there
 * is no training row.
 */
export function fitEcod(train: Float32Array, n: number, d: number): Baseline {
  checkTraining(NAME, train, n, d, 1)
  const mean = columnMeans(train, n, d)
  const columns = Array.from({ length: d }, (_, j) => {
    const column = Float32Array.from({ length: n }, (_, row) => train[row * d + j]!)
    return { sorted: column.sort(), skew: thirdMoment(column, mean[j]!) }
  })
  // By the number of training rows in the tail, the scored row comes on top.
  const surprise = Float64Array.from({ length: n + 1 }, (_, count) => -Math.log((count + 1) / (n + 1)))
  return {
    name: NAME,
    async score(rows, count) {
      checkRows(NAME, rows, count, d)
      const [left, right, skewed] = [
        new Float64Array(count),
        new Float64Array(count),
        new Float64Array(count),
      ]
      // Feature by feature: its sorted column stays in the cache while all rows look their value up.
      for (const [j, { sorted, skew }] of columns.entries()) {
        for (let row = 0; row < count; row++) {
          const x = rows[row * d + j]!
          const below = countBelow(sorted, x, false)
          // Equal values are rare but for constants.
          const atMost = sorted[below] === x ? countBelow(sorted, x, true) : below
          const l = Number.isFinite(x) ? surprise[atMost]! : Number.NaN
          const r = surprise[n - below]!
          left[row]! += l
          right[row]! += r
          skewed[row]! += skew < 0 ? l : r
        }
      }
      const scores = left.map((sum, row) => Math.max(sum, right[row]!, skewed[row]!))
      checkScores(NAME, scores)
      return scores
    },
    async release() {},
  }
}

/** Of its sign the skewness is. */
function thirdMoment(values: Float32Array, mean: number): number {
  let sum = 0
  for (const value of values) sum += (value - mean) ** 3
  return sum
}

/** How many values of an ascending list are below x, or with `orEqual` at most x. */
function countBelow(sorted: Float32Array, x: number, orEqual: boolean): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    const v = sorted[middle]!
    if (v < x || (orEqual && v === x)) low = middle + 1
    else high = middle
  }
  return low
}
