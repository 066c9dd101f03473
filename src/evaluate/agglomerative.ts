import { distanceBlocks } from './distances.ts'

/**
 * Rows that are clustered at most: all pairs are held as single-precision numbers, 2·n² bytes, which are 469 MB for the
 * 15,310 rows of the report's node and 1.15 GB here.
 */
export const MOST_WARD_ROWS = 24_000

/**
 * Agglomerative clustering with Ward's linkage (Ward 1963), exact: the nearest-neighbour chain (Murtagh 1983) with the update of
 * Lance & Williams (1967), O(n²) time. Returns the cluster 0 … k − 1 of each row where k clusters are left, numbered in
 * order of appearance. `points` is n × d, row-major and finite. Throws a RangeError where k is not in 1 … n, or n above `mostRows`.
 */
export async function ward(
  points: Float32Array,
  d: number,
  k: number,
  options: { mostRows?: number; signal?: AbortSignal | undefined } = {},
): Promise<Int32Array> {
  const n = points.length / d
  const mostRows = options.mostRows ?? MOST_WARD_ROWS
  if (k < 1 || k > n) throw new RangeError(`agglomerative clustering of ${n} rows can't leave ${k} clusters`)
  if (n > mostRows) {
    throw new RangeError(
      `agglomerative clustering holds the distances of all pairs, for at most ${mostRows} rows; got ${n}`,
    )
  }
  const distances = await condensedDistances(points, d, n, options.signal)
  const merges = chain(distances, n, options.signal)
  // The chain finds merges out of order; joined from the least height up, they leave the same clusters as a greedy search.
  merges.sort((a, b) => a.height - b.height)
  return cut(merges.slice(0, n - k), n)
}

interface Merge {
  a: number
  b: number
  height: number
}

/** Squared distances of the pairs i < j, row by row. */
class Condensed {
  readonly values: Float32Array
  private readonly n: number

  constructor(n: number) {
    this.n = n
    this.values = new Float32Array((n * (n - 1)) / 2)
  }

  /** Where row i would begin if it had a column 0: the pair (i, j) stands at base(i) + j, for i < j. */
  base(i: number): number {
    return i * this.n - (i * (i + 3)) / 2 - 1
  }

  index(i: number, j: number): number {
    return i < j ? this.base(i) + j : this.base(j) + i
  }
}

async function condensedDistances(
  points: Float32Array,
  d: number,
  n: number,
  signal: AbortSignal | undefined,
): Promise<Condensed> {
  const distances = new Condensed(n)
  for await (const { first, rows, squared } of distanceBlocks(points, d, signal)) {
    for (let r = 0; r < rows; r++) {
      const i = first + r
      distances.values.set(squared.subarray(r * n + i + 1, (r + 1) * n), distances.base(i) + i + 1)
    }
  }
  return distances
}

/**
 * The n − 1 merges: a chain of clusters, each the nearest neighbour of the one before, grows until two are each other's
 * nearest. Ward's linkage is reducible, so that merging them leaves the rest of the chain valid. A merged cluster takes
 * the number of its second member.
 */
function chain(distances: Condensed, n: number, signal: AbortSignal | undefined): Merge[] {
  // In this function every index is a cluster below n or a pair of two.
  const { values } = distances
  const sizes = new Float64Array(n).fill(1)
  const merges: Merge[] = []
  const path: number[] = []
  while (merges.length < n - 1) {
    if (path.length === 0) {
      signal?.throwIfAborted()
      path.push(sizes.findIndex((size) => size > 0))
    }
    const tip = path[path.length - 1]!
    const before = path[path.length - 2] ?? -1
    // The one before wins ties, or equal distances would send the chain round in circles.
    const least = before < 0 ? Infinity : values[distances.index(tip, before)]!
    const nearest = nearestBelow(distances, sizes, tip, least) ?? before
    if (nearest !== before) {
      path.push(nearest)
      continue
    }
    path.length -= 2
    merge(distances, sizes, tip, before)
    merges.push({ a: tip, b: before, height: least })
  }
  return merges
}

/** The cluster nearest to `tip` among those nearer than `least`; null where there is none. */
function nearestBelow(distances: Condensed, sizes: Float64Array, tip: number, least: number): number | null {
  const { values } = distances
  const n = sizes.length
  let nearest: number | null = null
  let bound = least
  // Pairs (j, tip) above stand ever closer below each other, pairs (tip, j) side by side; all are within the triangle.
  for (let j = 0, at = tip - 1; j < tip; at += n - 2 - j, j++) {
    if (sizes[j] === 0 || values[at]! >= bound) continue
    bound = values[at]!
    nearest = j
  }
  for (let j = tip + 1, at = distances.base(tip) + j; j < n; at++, j++) {
    if (sizes[j] === 0 || values[at]! >= bound) continue
    bound = values[at]!
    nearest = j
  }
  return nearest
}

/** Lance–Williams for Ward's squared distances: cluster `b` becomes the union of both, `a` is gone. */
function merge(distances: Condensed, sizes: Float64Array, a: number, b: number): void {
  const { values } = distances
  const sizeA = sizes[a]! // clusters below n, as in `chain`
  const sizeB = sizes[b]!
  const between = values[distances.index(a, b)]!
  sizes[a] = 0
  for (let j = 0; j < sizes.length; j++) {
    const size = sizes[j]!
    if (size === 0 || j === b) continue
    const at = distances.index(b, j)
    const fromA = values[distances.index(a, j)]!
    values[at] =
      ((sizeA + size) * fromA + (sizeB + size) * values[at]! - size * between) / (sizeA + sizeB + size)
  }
  sizes[b] = sizeA + sizeB
}

function cut(merges: readonly Merge[], n: number): Int32Array {
  const parent = Int32Array.from({ length: n }, (_, i) => i)
  const root = (i: number): number => {
    let at = i
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]! // entries are rows below n
      at = parent[at]!
    }
    return at
  }
  for (const { a, b } of merges) parent[root(a)] = root(b)
  const numbers = new Map<number, number>()
  return Int32Array.from({ length: n }, (_, i) => {
    const found = root(i)
    const number = numbers.get(found) ?? numbers.size
    numbers.set(found, number)
    return number
  })
}
