import type { Random } from './random.ts'

export interface KMeans {
  /** k × c, row-major. */
  centres: Float32Array
  /** Index of the nearest centre of each point. */
  assignment: Int32Array
  /** Sum of squared distances to the nearest centre. */
  inertia: number
}

/** Lloyd's iterations stop when no point moves, or here. */
const MAX_ITERATIONS = 300

/**
 * Lloyd's k-means started by k-means++ (Arthur & Vassilvitskii 2007), best of `restarts` by inertia.
 * `points` is n × c, row-major, n ≥ k.
 */
export function kMeans(points: Float32Array, c: number, k: number, restarts: number, random: Random): KMeans {
  const n = points.length / c
  if (n < k) throw new RangeError(`k-means needs at least k points: ${n} points, k = ${k}`)
  let best: KMeans | null = null
  for (let restart = 0; restart < restarts; restart++) {
    const result = lloyd(points, c, k, seedCentres(points, c, k, random))
    if (best === null || result.inertia < best.inertia) best = result
  }
  if (best === null) throw new RangeError('k-means needs at least one restart')
  return best
}

/** k-means++: each further centre is a point drawn with probability proportional to its squared distance. */
function seedCentres(points: Float32Array, c: number, k: number, random: Random): Float32Array {
  const n = points.length / c
  const centres = new Float32Array(k * c)
  const nearest = new Float64Array(n).fill(Infinity)
  let chosen = random.integer(n)
  for (let j = 0; j < k; j++) {
    centres.set(points.subarray(chosen * c, (chosen + 1) * c), j * c)
    if (j + 1 === k) break
    let sum = 0
    for (let i = 0; i < n; i++) {
      nearest[i] = Math.min(nearest[i]!, squaredDistance(points, i * c, centres, j * c, c))
      sum += nearest[i]!
    }
    let left = random.uniform() * sum
    chosen = n - 1
    for (let i = 0; i < n; i++) {
      left -= nearest[i]!
      if (left < 0) {
        chosen = i
        break
      }
    }
  }
  return centres
}

function lloyd(points: Float32Array, c: number, k: number, centres: Float32Array): KMeans {
  const n = points.length / c
  const assignment = new Int32Array(n).fill(-1)
  let inertia = 0
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    let moved = 0
    inertia = 0
    for (let i = 0; i < n; i++) {
      let best = 0
      let least = Infinity
      for (let j = 0; j < k; j++) {
        const distance = squaredDistance(points, i * c, centres, j * c, c)
        if (distance < least) {
          least = distance
          best = j
        }
      }
      if (assignment[i] !== best) {
        assignment[i] = best
        moved++
      }
      inertia += least
    }
    if (moved === 0) break
    moveCentres(points, c, k, assignment, centres)
  }
  return { centres, assignment, inertia }
}

/** Each centre moves to the mean of its points; one without points stays where it is. */
function moveCentres(
  points: Float32Array,
  c: number,
  k: number,
  assignment: Int32Array,
  centres: Float32Array,
): void {
  const sums = new Float64Array(k * c)
  const counts = new Uint32Array(k)
  for (let i = 0; i < assignment.length; i++) {
    const j = assignment[i]!
    counts[j]!++
    for (let f = 0; f < c; f++) sums[j * c + f]! += points[i * c + f]!
  }
  for (let j = 0; j < k; j++) {
    if (counts[j] === 0) continue
    for (let f = 0; f < c; f++) centres[j * c + f] = sums[j * c + f]! / counts[j]!
  }
}

export function squaredDistance(
  a: Float32Array,
  atA: number,
  b: Float32Array,
  atB: number,
  size: number,
): number {
  let sum = 0
  for (let f = 0; f < size; f++) {
    const difference = a[atA + f]! - b[atB + f]!
    sum += difference * difference
  }
  return sum
}
