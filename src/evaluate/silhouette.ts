import type { Random } from '../model/random.ts'
import { distanceBlocks } from './distances.ts'

/**
 * Rows whose pairs are all looked at, more than the 15,310 of the report's node. Above, a sample of so many is drawn: its figure
 * differs from that of all rows by a few thousandths. 20,000 × 460 take about 5 s on two cores and 110 MB.
 */
export const MOST_SILHOUETTE_ROWS = 20_000

export interface Silhouette {
  /** Mean over the rows, −1 … 1; null where fewer than two clusters hold rows, or every row is its own. */
  mean: number | null
  /** Rows that were looked at. */
  rows: number
  /** Whether they are a sample. */
  sampled: boolean
}

/**
 * Mean silhouette width (Rousseeuw 1987) by Euclidean distance: with a the mean distance of a row to the others of its
 * cluster and b the least mean distance to another cluster, (b − a) / max(a, b), and 0 for a row alone in its cluster.
 * Exact up to `mostRows` rows, on a sample drawn by `random` above (as scikit-learn's `sample_size`). `points` is n × d, row-major;
 * `assignment` names a cluster 0 … k − 1 for each row. Throws a RangeError where the two do not fit.
 */
export async function silhouette(
  points: Float32Array,
  d: number,
  assignment: ArrayLike<number>,
  options: { random: Random; mostRows?: number; signal?: AbortSignal | undefined },
): Promise<Silhouette> {
  const n = assignment.length
  if (points.length !== n * d) {
    throw new RangeError(`${points.length} values, expected ${n} assigned rows × ${d} features`)
  }
  const mostRows = options.mostRows ?? MOST_SILHOUETTE_ROWS
  if (n <= mostRows) {
    const mean = await exact(points, d, Int32Array.from(assignment), options.signal)
    return { mean, rows: n, sampled: false }
  }
  const order = Int32Array.from({ length: n }, (_, row) => row)
  options.random.shuffle(order)
  const drawn = order.subarray(0, mostRows).sort()
  const values = new Float32Array(mostRows * d)
  drawn.forEach((row, i) => {
    values.set(points.subarray(row * d, (row + 1) * d), i * d)
  })
  const clusters = drawn.map((row) => assignment[row]!) // a row number below n
  return { mean: await exact(values, d, clusters, options.signal), rows: mostRows, sampled: true }
}

async function exact(
  points: Float32Array,
  d: number,
  assignment: Int32Array,
  signal: AbortSignal | undefined,
): Promise<number | null> {
  const n = assignment.length
  const k = assignment.reduce((most, cluster) => Math.max(most, cluster), -1) + 1
  const sizes = new Float64Array(k)
  // In this function every index is a row below n or a cluster below k.
  for (const cluster of assignment) sizes[cluster]!++
  const used = sizes.filter((size) => size > 0).length
  if (used < 2 || used === n) return null
  const sums = new Float64Array(k)
  let total = 0
  for await (const { first, rows, squared } of distanceBlocks(points, d, signal)) {
    for (let r = 0; r < rows; r++) {
      sums.fill(0)
      for (let j = 0, at = r * n; j < n; j++, at++) sums[assignment[j]!]! += Math.sqrt(squared[at]!)
      total += width(sums, sizes, assignment[first + r]!)
    }
  }
  return total / n
}

/** Silhouette of one row from its summed distances to the rows of each cluster. */
function width(sums: Float64Array, sizes: Float64Array, own: number): number {
  const ownSize = sizes[own]! // a cluster of the row
  if (ownSize === 1) return 0
  const a = sums[own]! / (ownSize - 1)
  let b = Infinity
  for (const [cluster, size] of sizes.entries()) {
    if (cluster !== own && size > 0) b = Math.min(b, sums[cluster]! / size)
  }
  const larger = Math.max(a, b)
  return larger === 0 ? 0 : (b - a) / larger
}
