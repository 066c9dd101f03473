import { kmeans } from 'ml-kmeans'
import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { createRandom } from '../model/random.ts'

/**
 * Two plain detectors on the same scaled windows as the model: what it has to beat. Matrices are row-major, rows × d, as they come
 * from the scaler (every value finite).
 *
 * The `!` behind an index says that the loop around it keeps the index within bounds, which are checked once on entry.
 */
export interface Baseline {
  name: string
  /** One score a row, higher is stranger. `rows` holds at least n × d values; throws on a value that is not finite. */
  score(rows: Float32Array, n: number): Float64Array
}

/** As in scikit-learn: centres stand still when they move by less than this share of the mean variance of a feature. */
const RELATIVE_TOLERANCE = 1e-4

/** Bounds the fit of 20,000 × 460 rows to about 20 s; later rounds move few rows. */
const MAX_ITERATIONS = 50

/** Keep so many components, or as few as explain more than this share of the variance. */
export type Components = number | { variance: number }

/** Rows centred at a time: 128 × 460 doubles (470 kB) stay in the second-level cache while all pairs of columns are met. */
const COVARIANCE_BLOCK_ROWS = 128

/**
 * PCA residual: mean squared difference between a row and its projection on the leading principal components of the training
 * rows. Needs d² doubles of memory, O(n·d²) + O(d³) time. Throws when there are fewer than 2 rows, or when a fixed number of
 * components is not below d and the number of rows.
 */
export function fitPca(
  train: Float32Array,
  n: number,
  d: number,
  options: { components: Components } = { components: { variance: 0.95 } },
): Baseline {
  checkMatrix('PCA', train, n, d, 2)
  checkComponents(options.components, n, d)
  const mean = columnMeans(train, n, d)
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance(train, n, d, mean), {
    assumeSymmetric: true,
  })
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!)
  const kept = order.slice(0, componentCount(options.components, realEigenvalues))
  const axes = kept.map((column) => Float64Array.from(eigenvectorMatrix.getColumn(column)))
  return {
    name: 'PCA residual',
    score: (rows, count) =>
      scoreRows('PCA residual', rows, count, d, (row) => {
        const residual = new Float64Array(d)
        for (let j = 0; j < d; j++) residual[j] = row[j]! - mean[j]!
        for (const axis of axes) removeProjection(residual, axis)
        return dot(residual, residual) / d
      }),
  }
}

export interface KMeansOptions {
  /** Number of centres; fewer are fitted when the training rows have fewer distinct values. */
  k?: number
  seed?: number
  /** Training rows that are looked at, drawn by the seed. */
  maxRows?: number
}

/**
 * k-means distance: Euclidean distance between a row and the nearest of k centres (Lloyd's algorithm from a k-means++ start).
 * Same seed and rows, same centres. Throws when there is no training row.
 */
export function fitKMeansDistance(
  train: Float32Array,
  n: number,
  d: number,
  { k = 8, seed = 0, maxRows = 20_000 }: KMeansOptions = {},
): Baseline {
  checkMatrix('k-means', train, n, d, 1)
  if (!Number.isInteger(k) || k < 1) {
    throw new RangeError(`k-means: ${k} centres, expected a whole number ≥ 1`)
  }
  const mean = columnMeans(train, n, d)
  const sample = sampleRows(n, maxRows, seed).map((row) => train.subarray(row * d, (row + 1) * d))
  const centres = countDistinct(sample, k)
  const found =
    centres === 1
      ? [sample[0]!] // all rows are equal, and k-means++ has no second point to draw; there is at least one row
      : kmeans(sample as unknown as number[][], centres, {
          // Typed arrays serve as points: the library only indexes them and asks for their length.
          seed,
          maxIterations: MAX_ITERATIONS,
          tolerance: (RELATIVE_TOLERANCE * meanVariance(sample, mean)) / centres,
          distanceFunction: squaredDistance,
        }).centroids
  const points = found.map((centre) => Float64Array.from(centre))
  return {
    name: 'k-means distance',
    score: (rows, count) =>
      scoreRows('k-means distance', rows, count, d, (row) => {
        let nearest = Infinity
        for (const point of points) nearest = Math.min(nearest, squaredDistance(row, point))
        return Math.sqrt(nearest)
      }),
  }
}

function checkMatrix(name: string, train: Float32Array, n: number, d: number, leastRows: number): void {
  if (!Number.isInteger(d) || d < 1) throw new RangeError(`${name}: ${d} features, expected at least 1`)
  if (!Number.isInteger(n) || n < leastRows) {
    throw new RangeError(`${name}: ${n} training rows, expected at least ${leastRows}`)
  }
  if (train.length < n * d) {
    throw new RangeError(`${name}: ${train.length} training values, expected ${n} rows × ${d} features`)
  }
}

function checkComponents(components: Components, n: number, d: number): void {
  if (typeof components === 'object') {
    if (components.variance > 0 && components.variance < 1) return
    throw new RangeError(`PCA: variance ${components.variance}, expected a share between 0 and 1`)
  }
  const most = Math.min(d, n) - 1
  if (!Number.isInteger(components) || components < 1 || components > most) {
    throw new RangeError(`PCA: ${components} components, ${n} rows of ${d} features allow 1 to ${most}`)
  }
}

function componentCount(components: Components, eigenvalues: number[]): number {
  if (typeof components === 'number') return components
  const sorted = eigenvalues.toSorted((a, b) => b - a)
  const total = sorted.reduce((sum, eigenvalue) => sum + eigenvalue, 0)
  let explained = 0
  const last = sorted.findIndex((eigenvalue) => {
    explained += eigenvalue
    return explained > components.variance * total
  })
  return last + 1 // none where all rows are equal: the residual is the distance from them
}

function columnMeans(matrix: Float32Array, n: number, d: number): Float64Array {
  const mean = new Float64Array(d)
  for (let row = 0, at = 0; row < n; row++) {
    for (let j = 0; j < d; j++) mean[j] = mean[j]! + matrix[at++]!
  }
  for (const [j, sum] of mean.entries()) {
    if (!Number.isFinite(sum))
      throw new RangeError(`feature ${j} of the training rows holds a value that is not finite`)
    mean[j] = sum / n
  }
  return mean
}

/**
 * Covariance (divided by n) of the columns, d × d. A block of rows is centred and transposed so that every pair of columns is a
 * product of two contiguous stretches; only the upper triangle is computed.
 */
function covariance(matrix: Float32Array, n: number, d: number, mean: Float64Array): Matrix {
  const sums = Array.from({ length: d }, () => new Float64Array(d))
  const columns = Array.from({ length: d }, () => new Float64Array(COVARIANCE_BLOCK_ROWS))
  for (let from = 0; from < n; from += COVARIANCE_BLOCK_ROWS) {
    const rows = Math.min(COVARIANCE_BLOCK_ROWS, n - from)
    for (const [j, column] of columns.entries()) {
      column.fill(0, rows)
      for (let r = 0; r < rows; r++) column[r] = matrix[(from + r) * d + j]! - mean[j]!
    }
    for (const [i, sum] of sums.entries()) {
      const left = columns[i]!
      for (let j = i; j < d; j++) sum[j] = sum[j]! + dot(left, columns[j]!)
    }
  }
  const result = new Matrix(d, d)
  for (const [i, sum] of sums.entries()) {
    for (let j = i; j < d; j++) {
      result.set(i, j, sum[j]! / n)
      result.set(j, i, sum[j]! / n)
    }
  }
  return result
}

/** Four sums at once, as one alone waits for each addition. Lengths are equal. */
function dot(a: Float64Array, b: Float64Array): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let i = 0
  for (; i + 3 < a.length; i += 4) {
    s0 += a[i]! * b[i]!
    s1 += a[i + 1]! * b[i + 1]!
    s2 += a[i + 2]! * b[i + 2]!
    s3 += a[i + 3]! * b[i + 3]!
  }
  for (; i < a.length; i++) s0 += a[i]! * b[i]!
  return s0 + s1 + (s2 + s3)
}

function removeProjection(residual: Float64Array, axis: Float64Array): void {
  const length = dot(residual, axis)
  for (let j = 0; j < residual.length; j++) residual[j] = residual[j]! - length * axis[j]!
}

/** Squared Euclidean distance of two points of equal length. The library's own is 2.5 times slower on typed arrays. */
function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
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

/** Mean over the features of their variance around `mean`. */
function meanVariance(rows: Float32Array[], mean: Float64Array): number {
  const squares = rows.reduce((sum, row) => sum + squaredDistance(row, mean), 0)
  return squares / rows.length / mean.length
}

function scoreRows(
  name: string,
  rows: Float32Array,
  n: number,
  d: number,
  scoreOf: (row: Float32Array) => number,
): Float64Array {
  if (rows.length < n * d) {
    throw new RangeError(`${name}: ${rows.length} values, expected ${n} rows × ${d} features`)
  }
  const scores = new Float64Array(n)
  for (let row = 0; row < n; row++) {
    const score = scoreOf(rows.subarray(row * d, (row + 1) * d))
    if (!Number.isFinite(score)) throw new RangeError(`${name}: row ${row} holds a value that is not finite`)
    scores[row] = score
  }
  return scores
}

/** At most `most` of the row numbers 0 … n − 1, ascending: selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S). */
function sampleRows(n: number, most: number, seed: number): number[] {
  const random = createRandom(seed)
  const rows: number[] = []
  for (let row = 0; row < n && rows.length < most; row++) {
    if ((n - row) * random.uniform() < most - rows.length) rows.push(row)
  }
  return rows
}

/** Distinct rows, counted up to `enough`. */
function countDistinct(rows: Float32Array[], enough: number): number {
  const seen = new Set<string>()
  for (const row of rows) {
    seen.add(row.join())
    if (seen.size >= enough) break
  }
  return seen.size
}
