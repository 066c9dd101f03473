import { OnnxGraph } from '../model/onnx.ts'
import * as ort from '../model/runtime.ts'
import { mostProbable } from '../model/soft-assignment.ts'

/**
 * Gaussian mixture with full covariances by expectation–maximisation (Dempster, Laird & Rubin 1977), with the conventions of
 * scikit-learn's GaussianMixture, so that both give the same partition from the same start.
 *
 * The `!` behind an index says that the loop around it keeps the index within bounds, which follow from n, d and k.
 */
export interface GaussianMixture {
  /** Most probable component of each row. */
  assignment: Int32Array
  /** Share of each component. */
  weights: Float64Array
  /** k × d, row-major. */
  means: Float64Array
  /** Mean log density of a row before the last maximisation. */
  logLikelihood: number
  iterations: number
  /** False where the log density still rose by more than the tolerance after the last iteration. */
  converged: boolean
}

/** Added to the diagonal of every covariance, in squared units of the features: constant columns stay invertible. */
const REGULARISATION = 1e-6
/** Iterations end when the mean log density changes by less than this (nats a row), or after so many. */
const TOLERANCE = 1e-3
const MAX_ITERATIONS = 100
/** Keeps the mean of a component without rows a number. */
const LEAST_MASS = 10 * Number.EPSILON
/** Rows in one call of the runtime; bounds a call's doubles to 15 MB at d = 460. */
const BLOCK_ROWS = 4096

/**
 * Fits k Gaussians to n rows from a given partition (of k-means, as scikit-learn's start). `points` is n × d, row-major and
 * finite; `start` names a component 0 … k − 1 for each row. In double precision: 4·n·d² ·k FLOP an iteration as
 * Gemm of the tensor runtime, 8·n·d + 24·k·d² bytes. Throws a RangeError where there are fewer rows than components.
 */
export async function fitGaussianMixture(
  points: Float32Array,
  d: number,
  k: number,
  start: ArrayLike<number>,
  options: { maxIterations?: number; signal?: AbortSignal | undefined } = {},
): Promise<GaussianMixture> {
  const n = points.length / d
  if (n < k) throw new RangeError(`a Gaussian mixture of ${k} components needs as many rows, got ${n}`)
  if (start.length !== n) throw new RangeError(`${n} rows, but a start for ${start.length}`)
  const rows = Float64Array.from(points)
  const algebra = await Algebra.create(d)
  try {
    let responsibility: Float64Array = new Float64Array(n * k)
    for (let i = 0; i < n; i++) responsibility[i * k + start[i]!] = 1
    let components = await maximise(algebra, rows, d, k, responsibility, options.signal)
    let logLikelihood = Number.NEGATIVE_INFINITY
    let converged = false
    let iterations = 0
    const most = options.maxIterations ?? MAX_ITERATIONS
    while (iterations < most && !converged) {
      const expected = await expect(algebra, rows, d, components, options.signal)
      responsibility = expected.responsibility
      components = await maximise(algebra, rows, d, k, responsibility, options.signal)
      converged = Math.abs(expected.logLikelihood - logLikelihood) < TOLERANCE
      logLikelihood = expected.logLikelihood
      iterations++
    }
    const last = await expect(algebra, rows, d, components, options.signal)
    return {
      assignment: mostProbable(last.responsibility, n),
      weights: components.weights,
      means: components.means,
      logLikelihood,
      iterations,
      converged,
    }
  } finally {
    await algebra.release()
  }
}

interface Components {
  weights: Float64Array
  /** k × d. */
  means: Float64Array
  /** d × d each: U with Σ⁻¹ = U·Uᵀ, upper triangular. */
  factors: Float64Array[]
  /** Σ log Uⱼⱼ of each: half the log determinant of Σ⁻¹. */
  halfLogDeterminants: number[]
}

/** Weights, means and covariances of the rows under the given responsibilities, n × k. */
async function maximise(
  algebra: Algebra,
  rows: Float64Array,
  d: number,
  k: number,
  responsibility: Float64Array,
  signal: AbortSignal | undefined,
): Promise<Components> {
  const n = rows.length / d
  const mass = new Float64Array(k).fill(LEAST_MASS)
  const means = new Float64Array(k * d)
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < k; c++) {
      const share = responsibility[i * k + c]!
      if (share === 0) continue
      mass[c]! += share
      for (let j = 0; j < d; j++) means[c * d + j]! += share * rows[i * d + j]!
    }
  }
  for (let at = 0; at < k * d; at++) means[at]! /= mass[Math.floor(at / d)]!
  const factors: Float64Array[] = []
  const halfLogDeterminants: number[] = []
  for (let c = 0; c < k; c++) {
    const share = Float64Array.from({ length: n }, (_, i) => responsibility[i * k + c]!)
    const covariance = await algebra.scatter(rows, means.subarray(c * d, (c + 1) * d), share, signal)
    for (let at = 0; at < d * d; at++) covariance[at]! /= mass[c]!
    for (let j = 0; j < d; j++) covariance[j * d + j]! += REGULARISATION
    const factor = precisionFactor(covariance, d)
    factors.push(factor)
    let half = 0
    for (let j = 0; j < d; j++) half += Math.log(factor[j * d + j]!)
    halfLogDeterminants.push(half)
  }
  return { weights: mass.map((m) => m / n), means, factors, halfLogDeterminants }
}

/** Responsibilities, n × k, and the mean log density of a row. */
async function expect(
  algebra: Algebra,
  rows: Float64Array,
  d: number,
  { weights, means, factors, halfLogDeterminants }: Components,
  signal: AbortSignal | undefined,
): Promise<{ responsibility: Float64Array; logLikelihood: number }> {
  const n = rows.length / d
  const k = weights.length
  const responsibility = new Float64Array(n * k)
  for (let c = 0; c < k; c++) {
    const constant = Math.log(weights[c]!) + halfLogDeterminants[c]! - (d / 2) * Math.log(2 * Math.PI)
    const squared = await algebra.mahalanobis(rows, means.subarray(c * d, (c + 1) * d), factors[c]!, signal)
    for (let i = 0; i < n; i++) responsibility[i * k + c] = constant - squared[i]! / 2
  }
  let sum = 0
  for (let i = 0; i < n; i++) {
    const logs = responsibility.subarray(i * k, (i + 1) * k)
    const largest = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const log = largest + Math.log(logs.reduce((total, l) => total + Math.exp(l - largest), 0))
    for (let c = 0; c < k; c++) logs[c] = Math.exp(logs[c]! - log)
    sum += log
  }
  return { responsibility, logLikelihood: sum / n }
}

/**
 * U = L⁻ᵀ, d × d and upper triangular, where L·Lᵀ is the Cholesky factorisation of a symmetric positive definite matrix. Throws where it is
 * not: with the regularisation only values beyond 10⁴ or so do that, and features here are scaled.
 */
function precisionFactor(matrix: Float64Array, d: number): Float64Array {
  const lower = new Float64Array(d * d)
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * d + j]!
      for (let l = 0; l < j; l++) sum -= lower[i * d + l]! * lower[j * d + l]!
      if (i !== j) lower[i * d + j] = sum / lower[j * d + j]!
      else if (sum > 0) lower[i * d + i] = Math.sqrt(sum)
      else throw new RangeError(`the covariance of a Gaussian is not positive definite at feature ${i}`)
    }
  }
  // Forward substitution, row by row of L⁻¹: row i is (eᵢ − Σ_{l<i} Lᵢₗ · row l) / Lᵢᵢ; U is its transpose.
  const inverse = new Float64Array(d * d)
  for (let i = 0; i < d; i++) {
    for (let l = 0; l < i; l++) {
      const factor = lower[i * d + l]!
      if (factor === 0) continue
      for (let j = 0; j <= l; j++) inverse[i * d + j]! -= factor * inverse[l * d + j]!
    }
    inverse[i * d + i]! += 1
    for (let j = 0; j <= i; j++) inverse[i * d + j]! /= lower[i * d + i]!
  }
  const upper = new Float64Array(d * d)
  for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) upper[j * d + i] = inverse[i * d + j]!
  return upper
}

/** The two products of EM that cost something, on the tensor runtime. */
class Algebra {
  private readonly d: number
  private readonly mahalanobisSession: ort.InferenceSession
  private readonly scatterSession: ort.InferenceSession

  static async create(d: number): Promise<Algebra> {
    const mahalanobis = new OnnxGraph('mahalanobis')
    const centred = (graph: OnnxGraph): string =>
      graph.node('Sub', [graph.input('x', 'double', ['n', d]), graph.input('mean', 'double', [d])])
    const whitened = mahalanobis.node('MatMul', [
      centred(mahalanobis),
      mahalanobis.input('factor', 'double', [d, d]),
    ])
    const squares = mahalanobis.node('Mul', [whitened, whitened])
    mahalanobis.node('ReduceSum', [squares, mahalanobis.axes(1)], { keepdims: { int: 0 } }, 'squared')
    mahalanobis.output('squared', 'double', ['n'])

    const scatter = new OnnxGraph('scatter')
    const difference = centred(scatter)
    const weighted = scatter.node('Mul', [difference, scatter.input('share', 'double', ['n', 1])])
    const sum = scatter.input('sum', 'double', [d, d])
    scatter.node('Gemm', [weighted, difference, sum], { transA: { int: 1 } }, 'next')
    scatter.output('next', 'double', [d, d])
    return new Algebra(
      d,
      await ort.InferenceSession.create(mahalanobis.build()),
      await ort.InferenceSession.create(scatter.build()),
    )
  }

  private constructor(
    d: number,
    mahalanobisSession: ort.InferenceSession,
    scatterSession: ort.InferenceSession,
  ) {
    this.d = d
    this.mahalanobisSession = mahalanobisSession
    this.scatterSession = scatterSession
  }

  /** ‖(x − mean)·factor‖² of each row. */
  async mahalanobis(
    rows: Float64Array,
    mean: Float64Array,
    factor: Float64Array,
    signal: AbortSignal | undefined,
  ): Promise<Float64Array> {
    const { d } = this
    const squared = new Float64Array(rows.length / d)
    const fixed = { mean: tensor(mean, [d]), factor: tensor(factor, [d, d]) }
    for (const { first, n, x } of blocks(rows, d)) {
      signal?.throwIfAborted()
      const into = tensor(squared.subarray(first, first + n), [n])
      await this.mahalanobisSession.run({ x, ...fixed }, { squared: into })
    }
    return squared
  }

  /** Σ share · (x − mean)·(x − mean)ᵀ, d × d. */
  async scatter(
    rows: Float64Array,
    mean: Float64Array,
    share: Float64Array,
    signal: AbortSignal | undefined,
  ): Promise<Float64Array> {
    const { d } = this
    let [sum, next] = [new Float64Array(d * d), new Float64Array(d * d)]
    for (const { first, n, x } of blocks(rows, d)) {
      signal?.throwIfAborted()
      const feeds = {
        x,
        mean: tensor(mean, [d]),
        share: tensor(share.subarray(first, first + n), [n, 1]),
        sum: tensor(sum, [d, d]),
      }
      await this.scatterSession.run(feeds, { next: tensor(next, [d, d]) })
      ;[sum, next] = [next, sum]
    }
    return sum
  }

  async release(): Promise<void> {
    await this.mahalanobisSession.release()
    await this.scatterSession.release()
  }
}

function* blocks(rows: Float64Array, d: number): Generator<{ first: number; n: number; x: ort.Tensor }> {
  const total = rows.length / d
  for (let first = 0; first < total; first += BLOCK_ROWS) {
    const n = Math.min(BLOCK_ROWS, total - first)
    yield { first, n, x: tensor(rows.subarray(first * d, (first + n) * d), [n, d]) }
  }
}

function tensor(values: Float64Array, shape: number[]): ort.Tensor {
  return new ort.Tensor('float64', values, shape)
}
