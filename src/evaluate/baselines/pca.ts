import { EigenvalueDecomposition, Matrix } from 'ml-matrix'
import { type Baseline, checkTraining, columnMeans, rowByRow } from './baseline.ts'

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
  checkTraining('PCA', train, n, d, 2)
  checkComponents(options.components, n, d)
  const mean = columnMeans(train, n, d)
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance(train, n, d, mean), {
    assumeSymmetric: true,
  })
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!)
  const kept = order.slice(0, componentCount(options.components, realEigenvalues))
  const axes = kept.map((column) => Float64Array.from(eigenvectorMatrix.getColumn(column)))
  return rowByRow('PCA residual', d, (row) => {
    const residual = new Float64Array(d)
    for (let j = 0; j < d; j++) residual[j] = row[j]! - mean[j]!
    for (const axis of axes) removeProjection(residual, axis)
    return dot(residual, residual) / d
  })
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
