/**
 * A plain detector on the same scaled windows as the model: what it has to beat. Matrices are row-major, rows × d, as
 * they come from the scaler (every value finite).
 *
 * In this folder the `!` behind an index says that the loop around it keeps the index within bounds, which are checked
 * once on entry.
 */
export interface Baseline {
  name: string
  /** One score a row, higher is stranger. `rows` holds at least n × d values; rejects a value that is not finite. */
  score(rows: Float32Array, n: number): Promise<Float64Array>
  /** Frees what is held outside of the heap; the last call. */
  release(): Promise<void>
}

/** A baseline that scores one row after the other and holds nothing to free. */
export function rowByRow(name: string, d: number, scoreOf: (row: Float32Array) => number): Baseline {
  return {
    name,
    async score(rows, n) {
      checkRows(name, rows, n, d)
      const scores = new Float64Array(n)
      for (let row = 0; row < n; row++) scores[row] = scoreOf(rows.subarray(row * d, (row + 1) * d))
      checkScores(name, scores)
      return scores
    },
    async release() {},
  }
}

/** Throws when the training rows are too few or not there. */
export function checkTraining(
  name: string,
  train: Float32Array,
  n: number,
  d: number,
  leastRows: number,
): void {
  if (!Number.isInteger(d) || d < 1) throw new RangeError(`${name}: ${d} features, expected at least 1`)
  if (!Number.isInteger(n) || n < leastRows) {
    throw new RangeError(`${name}: ${n} training rows, expected at least ${leastRows}`)
  }
  if (train.length < n * d) {
    throw new RangeError(`${name}: ${train.length} training values, expected ${n} rows × ${d} features`)
  }
  for (let i = 0; i < n * d; i++) {
    if (Number.isFinite(train[i]!)) continue
    throw new RangeError(
      `${name}: feature ${i % d} of training row ${Math.floor(i / d)} is ${train[i]}, not finite`,
    )
  }
}

export function checkRows(name: string, rows: Float32Array, n: number, d: number): void {
  if (rows.length < n * d) {
    throw new RangeError(`${name}: ${rows.length} values, expected ${n} rows × ${d} features`)
  }
}

/** A value that is not finite in a row shows in its score. */
export function checkScores(name: string, scores: Float64Array): void {
  const row = scores.findIndex((score) => !Number.isFinite(score))
  if (row >= 0) throw new RangeError(`${name}: row ${row} holds a value that is not finite`)
}

export function columnMeans(matrix: Float32Array, n: number, d: number): Float64Array {
  const mean = new Float64Array(d)
  for (let row = 0, at = 0; row < n; row++) {
    for (let j = 0; j < d; j++) mean[j]! += matrix[at++]!
  }
  for (let j = 0; j < d; j++) mean[j]! /= n
  return mean
}

/** Squared Euclidean distance of two points of equal length; two sums at once, as one alone waits for each addition. */
export function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let s0 = 0
  let s1 = 0
  let j = 0
  for (; j + 1 < a.length; j += 2) {
    const d0 = a[j]! - b[j]!
    const d1 = a[j + 1]! - b[j + 1]!
    s0 += d0 * d0
    s1 += d1 * d1
  }
  if (j < a.length) s0 += (a[j]! - b[j]!) ** 2
  return s0 + s1
}
