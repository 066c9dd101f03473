/** k-means over rows that do not fit into memory. */
import { Clusters, centred, Distances, RELATIVE_TOLERANCE } from './clusters.ts'
import { type KMeansOptions, kMeans } from './kmeans.ts'
import type { Random } from './random.ts'

/** Rows that the mini-batch form starts from, by `kMeans`; 20,000 fix some tens of means well. */
const SAMPLE_ROWS = 20_000
/** Passes of the mini-batch form at most; a centre's step shrinks as one over the rows it has seen, so later ones move little. */
const MAX_PASSES = 5

/** Rows × c of one block, `n` of them, valid until the next one is asked for. */
export type RowBlocks = AsyncIterable<{ x: Float32Array; n: number }>

export interface MiniBatchKMeans {
  /** k × c, row-major. */
  centres: Float32Array
  /** Of the last pass: each row to the nearest centre as the centres stood when the row was read. */
  inertia: number
  passes: number
}

/**
 * Mini-batch k-means (Sculley 2010) over rows that do not fit into memory: `read` is called once a pass and yields all of
 * them in blocks. Starts from `kMeans` on a uniform sample; then each block moves each centre to the running mean of all
 * rows that it has been given. Memory: the sample, one block, one row of distances a row of the block.
 *
 * @throws RangeError as `kMeans` does.
 */
export async function miniBatchKMeans(
  read: () => RowBlocks,
  c: number,
  k: number,
  options: KMeansOptions,
): Promise<MiniBatchKMeans> {
  const sample = await drawSample(read(), c, options.random)
  const start = await kMeans(sample, c, k, options)
  const { centres } = start
  const seen = new Float64Array(k)
  for (const j of start.assignment) seen[j]!++
  const tolerance = RELATIVE_TOLERANCE * centred(sample, c).variance
  const distances = await Distances.create()
  try {
    for (let pass = 1; ; pass++) {
      const before = centres.slice()
      let inertia = 0
      for await (const { x, n } of read()) {
        options.signal?.throwIfAborted()
        inertia += await follow(distances, x.subarray(0, n * c), c, centres, seen)
      }
      const shift = centres.reduce((sum, v, i) => sum + (v - before[i]!) ** 2, 0)
      if (shift <= tolerance || pass === MAX_PASSES) return { centres, inertia, passes: pass }
    }
  } finally {
    await distances.release()
  }
}

/** Assigns the rows to the centres as they stand, then moves each centre towards its rows; returns the inertia. */
async function follow(
  distances: Distances,
  x: Float32Array,
  c: number,
  centres: Float32Array,
  seen: Float64Array,
): Promise<number> {
  const k = seen.length
  const set = centred(x, c)
  const moved = centres.map((v, i) => v - set.origin[i % c]!)
  const clusters = new Clusters(set, k)
  await clusters.assign(distances, moved)
  let inertia = 0
  for (let i = 0; i < set.n; i++) inertia += clusters.squaredDistance(i, moved)
  clusters.pull(centres, seen)
  return inertia
}

/** Up to SAMPLE_ROWS rows, each with the same chance (Vitter 1985, algorithm R). */
async function drawSample(blocks: RowBlocks, c: number, random: Random): Promise<Float32Array> {
  let sample = new Float32Array(0)
  let read = 0
  for await (const { x, n } of blocks) {
    if (read < SAMPLE_ROWS) {
      const grown = new Float32Array(Math.min(SAMPLE_ROWS, read + n) * c)
      grown.set(sample)
      sample = grown
    }
    for (let i = 0; i < n; i++, read++) {
      const at = read < SAMPLE_ROWS ? read : random.integer(read + 1)
      if (at < SAMPLE_ROWS) sample.set(x.subarray(i * c, (i + 1) * c), at * c)
    }
  }
  return sample
}
