import { kMeans } from '../../model/kmeans.ts'
import { createRandom } from '../../model/random.ts'
import { type Baseline, checkTraining, rowByRow, squaredDistance } from './baseline.ts'

/** Independent starts; one in three ends near the least inertia that sixty find, see `seedCentres`. */
const RESTARTS = 5

/**
 * k-means distance: Euclidean distance between a row and the nearest of k centres. There are fewer centres when the
 * training rows have fewer distinct values. Same seed and rows, same centres. Rejects when there is no training row.
 */
export async function fitKMeans(
  train: Float32Array,
  n: number,
  d: number,
  { k = 8, seed = 0 }: { k?: number; seed?: number } = {},
): Promise<Baseline> {
  checkTraining('k-means', train, n, d, 1)
  if (!Number.isInteger(k) || k < 1) {
    throw new RangeError(`k-means: ${k} centres, expected a whole number ≥ 1`)
  }
  const random = createRandom(seed)
  const points = train.subarray(0, n * d)
  const { centres } = await kMeans(points, d, countDistinct(points, d, k), { restarts: RESTARTS, random })
  return rowByRow('k-means distance', d, (row) => {
    let nearest = Infinity
    for (let at = 0; at < centres.length; at += d) {
      nearest = Math.min(nearest, squaredDistance(row, centres.subarray(at, at + d)))
    }
    return Math.sqrt(nearest)
  })
}

/** Distinct rows, counted up to `enough`. */
function countDistinct(rows: Float32Array, d: number, enough: number): number {
  const seen = new Set<string>()
  for (let at = 0; at < rows.length && seen.size < enough; at += d) seen.add(rows.subarray(at, at + d).join())
  return seen.size
}
