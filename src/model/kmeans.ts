/**
 * Lloyd's k-means at native speed, for points in memory; `minibatch-kmeans.ts` has the form for more.
 *
 * The `!` behind an index says that the loop around it keeps the index within bounds.
 */
import { Clusters, centred, Distances, type PointSet, RELATIVE_TOLERANCE } from './clusters.ts'
import type { Random } from './random.ts'

export interface KMeans {
  /** k × c, row-major. */
  centres: Float32Array
  /** Index of the nearest centre of each point. */
  assignment: Int32Array
  /** Sum of squared distances to the nearest centre. */
  inertia: number
}

export interface KMeansOptions {
  /** Independent starts; the one with the least inertia is returned. */
  restarts: number
  random: Random
  signal?: AbortSignal | undefined
}

/** Lloyd's iterations stop when no point moves, when the centres stand nearly still, or here. */
const MAX_ITERATIONS = 300

/**
 * Lloyd's k-means, best of `restarts` by inertia. Each start is greedy k-means++ (Arthur & Vassilvitskii 2007, section 5):
 * the best of 2 + ⌊ln k⌋ candidates a centre. A centre that loses all its points moves to the point farthest from its own
 * centre. `points` is n × c, row-major.
 *
 * @throws RangeError for k above n, a value that is not finite, or sizes that do not fit.
 */
export async function kMeans(
  points: Float32Array,
  c: number,
  k: number,
  { restarts, random, signal }: KMeansOptions,
): Promise<KMeans> {
  const n = points.length / c
  checkCount('centres', k)
  checkCount('restarts', restarts)
  if (!Number.isInteger(n)) throw new RangeError(`k-means: ${points.length} values are no rows of ${c}`)
  if (n < k) throw new RangeError(`k-means needs at least k points: ${n} points, k = ${k}`)
  const set = centred(points, c)
  const distances = await Distances.create()
  try {
    let best: KMeans | null = null
    for (let restart = 0; restart < restarts; restart++) {
      const start = await seedCentres(distances, set, k, random)
      const result = await lloyd(distances, set, start, signal)
      if (best === null || result.inertia < best.inertia) best = result
    }
    if (best === null) throw new RangeError('k-means needs at least one restart')
    return { ...best, centres: shifted(best.centres, set.origin, 1) }
  } finally {
    await distances.release()
  }
}

/** Lloyd's iterations alone, from the given centres (k × c). For sizes and errors see `kMeans`. */
export async function kMeansFrom(points: Float32Array, c: number, start: Float32Array): Promise<KMeans> {
  const set = centred(points, c)
  const distances = await Distances.create()
  try {
    const result = await lloyd(distances, set, shifted(start, set.origin, -1))
    return { ...result, centres: shifted(result.centres, set.origin, 1) }
  } finally {
    await distances.release()
  }
}

/** Every row plus or minus the origin. */
function shifted(rows: Float32Array, origin: Float64Array, sign: 1 | -1): Float32Array {
  return rows.map((v, i) => v + sign * origin[i % origin.length]!) // a remainder is below the length
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`k-means: ${value} ${name}, expected a whole number of at least 1`)
  }
}

/**
 * Greedy k-means++: a centre's candidates are points drawn with probability proportional to their squared distance from the
 * centres so far; the one that leaves the least inertia is taken.
 */
async function seedCentres(
  distances: Distances,
  { points, n, c, squares }: PointSet,
  k: number,
  random: Random,
): Promise<Float32Array> {
  // The number that Arthur & Vassilvitskii tried and scikit-learn took. One start in three then ends nearly as low as
  // the best of sixty, where with a single candidate one in seven does (clouds of 3,000 … 5,000 points, k 8 … 20).
  const trials = 2 + Math.floor(Math.log(k))
  const centres = new Float32Array(k * c)
  let nearest = new Float64Array(n).fill(Infinity)
  const cumulative = new Float64Array(n)
  const row = (i: number): Float32Array => points.subarray(i * c, (i + 1) * c)
  for (let j = 0; j < k; j++) {
    const candidates = j === 0 ? [random.integer(n)] : draw(cumulative, trials, random)
    const tried = Float32Array.from(candidates.flatMap((i) => [...row(i)]))
    const left = candidates.map(() => nearest.slice())
    const inertia = new Float64Array(candidates.length)
    await distances.walk(points, c, tried, (first, rows, distance) => {
      for (let i = 0, at = 0; i < rows; i++) {
        for (let t = 0; t < left.length; t++, at++) {
          const least = left[t]! // one for each candidate
          const squared = Math.max(0, squares[first + i]! + distance[at]!)
          if (squared < least[first + i]!) least[first + i] = squared
          inertia[t]! += least[first + i]!
        }
      }
    })
    const best = inertia.indexOf(Math.min(...inertia))
    centres.set(tried.subarray(best * c, (best + 1) * c), j * c)
    nearest = left[best]! // best is the index of a candidate
    let sum = 0
    for (let i = 0; i < n; i++) cumulative[i] = sum += nearest[i]!
  }
  return centres
}

/** Indices drawn with probability proportional to the steps of `cumulative`; uniform where it stays at 0. */
function draw(cumulative: Float64Array, count: number, random: Random): number[] {
  const n = cumulative.length
  const sum = cumulative[n - 1]! // there is at least one point
  return Array.from({ length: count }, () => {
    if (sum === 0) return random.integer(n)
    const at = random.uniform() * sum
    let low = 0
    let high = n - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  })
}

/** Lloyd's iterations from `start`, in the coordinates of the set. */
async function lloyd(
  distances: Distances,
  set: PointSet,
  start: Float32Array,
  signal?: AbortSignal,
): Promise<KMeans> {
  const k = start.length / set.c
  const centres = start.slice()
  const clusters = new Clusters(set, k)
  const tolerance = RELATIVE_TOLERANCE * set.variance
  let still = false
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    signal?.throwIfAborted()
    const moved = await clusters.assign(distances, centres)
    if (moved === 0 || still) break
    clusters.fillEmpty(centres)
    still = clusters.moveCentres(centres) <= tolerance
  }
  let inertia = 0
  for (let i = 0; i < set.n; i++) inertia += clusters.squaredDistance(i, centres)
  return { centres, assignment: clusters.assignment, inertia }
}
