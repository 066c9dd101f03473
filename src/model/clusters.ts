/**
 * Points, their distances to centres, and which centre they belong to: what both forms of k-means are made of. Distances
 * come from one Gemm (‖x − μ‖² = ‖x‖² − 2x·μᵀ + ‖μ‖²); the walk over its result and the sums of the points that change
 * their centre are plain loops in double precision.
 *
 * The `!` behind an index says that the loop around it keeps the index within bounds.
 */
import { OnnxGraph } from './onnx.ts'
import * as ort from './runtime.ts'

/**
 * As in scikit-learn, centres stand still when their squared moves sum to less than this share of the mean variance of a
 * feature.
 */
export const RELATIVE_TOLERANCE = 1e-4
/** Rows a call: 16,384 × 8 distances are half a megabyte and stay in the cache for the walk after the Gemm. */
const BLOCK_ROWS = 16_384

/** Points around their mean: the Gemm form of a distance loses the digits that a common offset takes. */
export interface PointSet {
  points: Float32Array
  n: number
  c: number
  /** The mean that was taken off. */
  origin: Float64Array
  /** ‖x‖² of each point. */
  squares: Float64Array
  /** Mean variance of a feature. */
  variance: number
}

export function centred(points: Float32Array, c: number): PointSet {
  const n = points.length / c
  const origin = new Float64Array(c)
  for (let at = 0; at < points.length; ) for (let f = 0; f < c; f++) origin[f]! += points[at++]!
  if (!origin.every(Number.isFinite)) throw notFinite(points, c)
  for (let f = 0; f < c; f++) origin[f]! /= n
  const moved = new Float32Array(points.length)
  const squares = new Float64Array(n)
  let total = 0
  for (let i = 0, at = 0; i < n; i++) {
    let square = 0
    for (let f = 0; f < c; f++, at++) {
      const value = points[at]! - origin[f]!
      moved[at] = value
      square += value * value
    }
    squares[i] = square
    total += square
  }
  return { points: moved, n, c, origin, squares, variance: total / points.length }
}

function notFinite(points: Float32Array, c: number): RangeError {
  const at = points.findIndex((v) => !Number.isFinite(v))
  return new RangeError(
    `k-means: row ${Math.floor(at / c)}, feature ${at % c} is ${points[at]}; every value must be finite`,
  )
}

/** The native part: ‖μ‖² − 2x·μᵀ, which is the squared distance but for the ‖x‖² of the row. */
export class Distances {
  private readonly session: ort.InferenceSession
  private out = new Float32Array(0)

  static async create(): Promise<Distances> {
    const g = new OnnxGraph('distances')
    const x = g.input('x', 'float', ['n', 'c'])
    const centres = g.input('centres', 'float', ['k', 'c'])
    const squares = g.input('squares', 'float', ['k'])
    g.node('Gemm', [x, centres, squares], { transB: { int: 1 }, alpha: { float: -2 } }, 'distance')
    g.output('distance', 'float', ['n', 'k'])
    return new Distances(await ort.InferenceSession.create(g.build()))
  }

  private constructor(session: ort.InferenceSession) {
    this.session = session
  }

  /** Calls `visit` block by block with ‖μ‖² − 2x·μᵀ, rows × k, valid during the call. `x` is n × c. */
  async walk(
    x: Float32Array,
    c: number,
    centres: Float32Array,
    visit: (first: number, rows: number, distance: Float32Array) => void,
  ): Promise<void> {
    const k = centres.length / c
    const n = x.length / c
    const squares = new Float32Array(k)
    for (let j = 0; j < k; j++) squares[j] = squaredNorm(centres.subarray(j * c, (j + 1) * c))
    const most = Math.min(BLOCK_ROWS, n) * k
    if (this.out.length < most) this.out = new Float32Array(most)
    for (let first = 0; first < n; first += BLOCK_ROWS) {
      const rows = Math.min(BLOCK_ROWS, n - first)
      const out = this.out.subarray(0, rows * k)
      await this.session.run(
        {
          x: new ort.Tensor('float32', x.subarray(first * c, (first + rows) * c), [rows, c]),
          centres: new ort.Tensor('float32', centres, [k, c]),
          squares: new ort.Tensor('float32', squares, [k]),
        },
        { distance: new ort.Tensor('float32', out, [rows, k]) },
      )
      visit(first, rows, out)
    }
  }

  async release(): Promise<void> {
    await this.session.release()
  }
}

/** Which point belongs to which centre, with sums kept up to date point by point. */
export class Clusters {
  readonly assignment: Int32Array
  private readonly set: PointSet
  private readonly sums: Float64Array
  private readonly counts: Uint32Array

  constructor(set: PointSet, k: number) {
    this.set = set
    this.assignment = new Int32Array(set.n).fill(-1)
    this.sums = new Float64Array(k * set.c)
    this.counts = new Uint32Array(k)
  }

  /** Gives every point to its nearest centre; returns how many changed theirs. */
  async assign(distances: Distances, centres: Float32Array): Promise<number> {
    const { points, c } = this.set
    const { assignment } = this
    const k = this.counts.length
    let moved = 0
    await distances.walk(points, c, centres, (first, rows, distance) => {
      for (let i = 0, at = 0; i < rows; i++) {
        let best = 0
        let least = distance[at++]!
        for (let j = 1; j < k; j++) {
          const other = distance[at++]!
          if (other < least) {
            least = other
            best = j
          }
        }
        if (assignment[first + i] === best) continue
        this.move(first + i, best)
        moved++
      }
    })
    return moved
  }

  private move(i: number, to: number): void {
    const { points, c } = this.set
    const from = this.assignment[i]!
    this.assignment[i] = to
    this.counts[to]!++
    if (from < 0) {
      for (let f = 0; f < c; f++) this.sums[to * c + f]! += points[i * c + f]!
      return
    }
    this.counts[from]!--
    for (let f = 0; f < c; f++) {
      this.sums[to * c + f]! += points[i * c + f]!
      this.sums[from * c + f]! -= points[i * c + f]!
    }
  }

  /** Gives each centre without points the point farthest from its own centre, unless all points sit on theirs. */
  fillEmpty(centres: Float32Array): void {
    if (this.counts.every((count) => count > 0)) return
    const squared = Float64Array.from(this.assignment, (_, i) => this.squaredDistance(i, centres))
    for (const [j, count] of this.counts.entries()) {
      if (count > 0) continue
      let farthest = 0
      for (let i = 1; i < squared.length; i++) if (squared[i]! > squared[farthest]!) farthest = i
      if (squared[farthest] === 0) return
      this.move(farthest, j)
      squared[farthest] = 0
    }
  }

  /** Moves each centre to the mean of its points; returns the sum of the squared moves. */
  moveCentres(centres: Float32Array): number {
    const { c } = this.set
    let shift = 0
    for (const [j, count] of this.counts.entries()) {
      if (count === 0) continue
      for (let f = j * c; f < (j + 1) * c; f++) {
        const mean = this.sums[f]! / count
        shift += (mean - centres[f]!) ** 2
        centres[f] = mean
      }
    }
    return shift
  }

  /**
   * Moves each centre towards its points by one over the rows it has seen, point by point (Sculley 2010, algorithm 1): it
   * becomes the mean of all of them. Takes and keeps `centres` in the coordinates before the mean was taken off.
   */
  pull(centres: Float32Array, seen: Float64Array): void {
    const { c, origin } = this.set
    for (const [j, count] of this.counts.entries()) {
      if (count === 0) continue
      seen[j]! += count
      for (let f = 0; f < c; f++) {
        const at = j * c + f
        const mean = this.sums[at]! / count + origin[f]!
        centres[at]! += ((mean - centres[at]!) * count) / seen[j]!
      }
    }
  }

  /** From point i to the centre it belongs to. */
  squaredDistance(i: number, centres: Float32Array): number {
    const { points, c } = this.set
    const at = this.assignment[i]! * c
    let sum = 0
    for (let f = 0; f < c; f++) {
      const difference = points[i * c + f]! - centres[at + f]!
      sum += difference * difference
    }
    return sum
  }
}

function squaredNorm(values: Float32Array): number {
  let sum = 0
  for (const value of values) sum += value * value
  return sum
}
