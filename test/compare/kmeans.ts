/**
 * k-means of this project against ml-kmeans and against Lloyd's algorithm in plain loops (what the project had before), in one
 * run: the same points, the same number of starts. Says time, inertia and ratios; and what the greedy k-means++ is worth.
 */
import { kmeans } from 'ml-kmeans'
import { renderTable } from '../../src/evaluate/table.ts'
import { kMeans } from '../../src/model/kmeans.ts'
import { createRandom } from '../../src/model/random.ts'
import { machine } from './machine.ts'

/** Codes of a fleet and of one node, a large set, and raw digits' shape. */
const CASES = [
  { n: 20_000, c: 10, k: 8, restarts: 20 },
  { n: 20_000, c: 20, k: 20, restarts: 20 },
  { n: 500_000, c: 20, k: 8, restarts: 2 },
  { n: 10_000, c: 784, k: 10, restarts: 2 },
]

/** Overlapping normal clouds, three for each centre asked for: no start is obvious. */
function clouds(n: number, c: number, k: number): Float32Array {
  const random = createRandom(7)
  const middles = Float64Array.from({ length: 3 * k * c }, () => random.normal())
  const points = new Float32Array(n * c)
  for (let i = 0; i < n; i++) {
    const of = random.integer(3 * k) * c
    for (let f = 0; f < c; f++) points[i * c + f] = middles[of + f]! + 0.7 * random.normal() // within the table
  }
  return points
}

function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let f = 0; f < a.length; f++) sum += (a[f]! - b[f]!) ** 2 // equal lengths
  return sum
}

/** k-means++ and Lloyd until no point moves, in plain loops over typed arrays. */
function plain(rows: Float32Array[], k: number, restarts: number): number {
  const random = createRandom(1)
  const c = rows[0]?.length ?? 0
  let best = Infinity
  for (let restart = 0; restart < restarts; restart++) {
    const centres: Float32Array[] = []
    const nearest = new Float64Array(rows.length).fill(Infinity)
    let chosen = random.integer(rows.length)
    for (let j = 0; j < k; j++) {
      const centre = rows[chosen]!.slice() // drawn below the length
      centres.push(centre)
      let sum = 0
      for (const [i, row] of rows.entries()) {
        nearest[i] = Math.min(nearest[i]!, squaredDistance(row, centre))
        sum += nearest[i]!
      }
      let left = random.uniform() * sum
      chosen = nearest.findIndex((v) => {
        left -= v
        return left < 0
      })
      if (chosen < 0) chosen = rows.length - 1
    }
    const assignment = new Int32Array(rows.length).fill(-1)
    let inertia = 0
    for (let iteration = 0; iteration < 300; iteration++) {
      let moved = 0
      inertia = 0
      for (const [i, row] of rows.entries()) {
        let at = 0
        let least = Infinity
        for (const [j, centre] of centres.entries()) {
          const squared = squaredDistance(row, centre)
          if (squared < least) {
            least = squared
            at = j
          }
        }
        if (assignment[i] !== at) moved++
        assignment[i] = at
        inertia += least
      }
      if (moved === 0) break
      const sums = new Float64Array(k * c)
      const counts = new Uint32Array(k)
      for (const [i, row] of rows.entries()) {
        const j = assignment[i]!
        counts[j]!++
        for (let f = 0; f < c; f++) sums[j * c + f]! += row[f]!
      }
      for (const [j, centre] of centres.entries()) {
        if (counts[j] === 0) continue
        for (let f = 0; f < c; f++) centre[f] = sums[j * c + f]! / counts[j]!
      }
    }
    best = Math.min(best, inertia)
  }
  return best
}

function peer(rows: Float32Array[], k: number, restarts: number): number {
  let best = Infinity
  for (let seed = 0; seed < restarts; seed++) {
    const found = kmeans(rows as unknown as number[][], k, {
      seed,
      maxIterations: 300,
      tolerance: 1e-4,
      distanceFunction: squaredDistance,
    })
    const inertia = rows.reduce(
      (sum, row, i) => sum + squaredDistance(row, found.centroids[found.clusters[i] ?? 0] ?? []),
      0,
    )
    best = Math.min(best, inertia)
  }
  return best
}

console.log(machine())
const table: (string | number)[][] = []
for (const { n, c, k, restarts } of CASES) {
  const points = clouds(n, c, k)
  const rows = Array.from({ length: n }, (_, i) => points.subarray(i * c, (i + 1) * c))
  const name = `${n} × ${c}, k = ${k}, ${restarts} starts`
  const runs: [string, () => Promise<number> | number][] = [
    ['this project', async () => (await kMeans(points, c, k, { restarts, random: createRandom(1) })).inertia],
    ['plain loops', () => plain(rows, k, restarts)],
    ['ml-kmeans', () => peer(rows, k, restarts)],
  ]
  let own: { seconds: number; inertia: number } | null = null
  for (const [engine, run] of runs) {
    const before = performance.now()
    const inertia = await run()
    const seconds = (performance.now() - before) / 1000
    own ??= { seconds, inertia }
    table.push([name, engine, seconds, seconds / own.seconds, inertia / own.inertia])
  }
}
console.log(
  renderTable(
    [
      { title: 'points' },
      { title: 'by' },
      { title: 's', decimals: 2 },
      { title: 'time ratio', decimals: 1 },
      { title: 'inertia ratio', decimals: 5 },
    ],
    table,
  ),
)
