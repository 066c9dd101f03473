import { ModelError } from './errors.ts'
import type { Optimiser } from './graphs.ts'
import { kMeans } from './kmeans.ts'
import type { Layer, Network } from './network.ts'
import type { Random } from './random.ts'
import type { Batch, Rows } from './rows.ts'
import { type Schedule, scheduledRate } from './schedule.ts'
import { Encoder, Trainer } from './trainer.ts'

export interface ClusterOptions {
  optimiser: Optimiser
  learningRate: number
  /** Over `maxIterations` steps. */
  schedule: Schedule
  batch: number
  centres: number
  /** Weight of KL(p‖q) beside the reconstruction error, whose weight is 1. */
  gamma: number
  /** Steps between two updates of the target distribution. */
  updateInterval: number
  /** Training stops when a smaller share of rows than this changes its centre between two updates. */
  tolerance: number
  maxIterations: number
  /** False takes the rows in order, as the report does. */
  shuffle: boolean
}

export interface Clustered {
  layers: Layer[]
  /** k × c. */
  centres: Float32Array
  /** Share of the rows nearest to each centre. */
  shares: number[]
  /** One entry an update of the target distribution; losses are means over the steps since the one before. */
  updates: { iteration: number; changed: number; divergence: number; squaredError: number }[]
  stopped: 'tolerance' | 'max_iterations'
}

/** k-means starts from at most this many codes; its cost is linear in them and 20,000 fix 8 … 20 means well. */
const KMEANS_ROWS = 20_000
/** As the DEC authors: the best of 20 starts. */
const KMEANS_RESTARTS = 20
/** Rows encoded in one call. */
const ENCODE_ROWS = 4096

/**
 * Deep Embedded Clustering with reconstruction (Xie, Girshick & Farhadi 2016; Guo, Gao, Liu & Yin 2017): centres
 * start from k-means on the codes; then encoder, decoder and centres follow γ·KL(p‖q) + MSE, where the target
 * p ∝ q²/f is taken over the whole set and renewed every `updateInterval` steps.
 */
export async function trainDec(
  rows: Rows,
  network: Network,
  pretrained: readonly Layer[],
  options: ClusterOptions,
  random: Random,
  onUpdate: (update: Clustered['updates'][number]) => void,
  { signal, threads }: { signal?: AbortSignal | undefined; threads?: number | undefined } = {},
): Promise<Clustered> {
  const k = options.centres
  if (rows.rows < k) {
    throw new ModelError(
      'too_little_data',
      `${rows.rows} training windows can't fill ${k} centres; lower training.centres`,
    )
  }
  const encoder = await Encoder.create(network, k, threads)
  const initial = await startCentres(rows, encoder, pretrained, k, random, signal)
  const trainer = await Trainer.create(
    network,
    pretrained,
    options.optimiser,
    {
      centres: k,
      gamma: options.gamma,
      initial,
    },
    threads,
  )
  try {
    const q = new Float32Array(rows.rows * k)
    const assigned = new Int32Array(rows.rows).fill(-1)
    const updates: Clustered['updates'] = []
    let mass: Float64Array = new Float64Array(k)
    let divergence = 0
    let squaredError = 0
    let seen = 0
    let stopped: Clustered['stopped'] = 'max_iterations'
    const target = new Float32Array(options.batch * k)
    const stepsPerEpoch = Math.ceil(rows.rows / options.batch)
    let iteration = 0
    for await (const { x, positions, n } of passes(rows, options, random)) {
      signal?.throwIfAborted()
      if (iteration === options.maxIterations) break
      if (iteration % options.updateInterval === 0) {
        const changed = await assignAll(rows, encoder, trainer.layers(), trainer.centres(), q, assigned)
        mass = columnSums(q, k)
        const update = {
          iteration,
          changed,
          divergence: seen === 0 ? 0 : divergence / seen,
          squaredError: seen === 0 ? 0 : squaredError / (seen * rows.features),
        }
        if (!Number.isFinite(update.divergence + update.squaredError) || mass.some(Number.isNaN)) {
          throw diverged(iteration, options)
        }
        updates.push(update)
        onUpdate(update)
        divergence = squaredError = seen = 0
        if (iteration > 0 && changed < options.tolerance) {
          stopped = 'tolerance'
          break
        }
      }
      const at = { step: iteration, total: options.maxIterations, stepsPerEpoch }
      const rate = scheduledRate(options.learningRate, options.schedule, at)
      targetDistribution(q, mass, k, positions, target)
      const loss = await trainer.step(x, n, rate, target)
      divergence += loss.divergence
      squaredError += loss.squaredError
      seen += n
      iteration++
    }
    const layers = trainer.layers()
    const centres = trainer.centres()
    await assignAll(rows, encoder, layers, centres, q, assigned)
    if (columnSums(q, k).some(Number.isNaN)) throw diverged(options.maxIterations, options)
    const shares = new Array<number>(k).fill(0)
    for (const j of assigned) shares[j]! += 1 / rows.rows
    return { layers, centres, shares, updates, stopped }
  } finally {
    await trainer.release()
    await encoder.release()
  }
}

function diverged(iteration: number, { learningRate }: ClusterOptions): ModelError {
  return new ModelError(
    'diverged',
    `DEC diverged before iteration ${iteration}; lower training.cluster.learning_rate (now ${learningRate})`,
  )
}

/** k-means on the codes of at most KMEANS_ROWS rows, evenly spaced over the set. */
async function startCentres(
  rows: Rows,
  encoder: Encoder,
  layers: readonly Layer[],
  k: number,
  random: Random,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const stride = Math.max(1, Math.ceil(rows.rows / KMEANS_ROWS))
  const c = encoder.codeSize
  const codes = new Float32Array(Math.ceil(rows.rows / stride) * c)
  let filled = 0
  await encodeAll(rows, encoder, layers, null, (first, n, result) => {
    for (let i = 0; i < n; i++) {
      if ((first + i) % stride !== 0) continue
      codes.set(result.code.subarray(i * c, (i + 1) * c), filled * c)
      filled++
    }
  })
  const started = await kMeans(codes.subarray(0, filled * c), c, k, {
    restarts: KMEANS_RESTARTS,
    random,
    signal,
  })
  return started.centres
}

/** Renews q and the nearest centre of every row; returns the share of rows whose centre changed. */
async function assignAll(
  rows: Rows,
  encoder: Encoder,
  layers: readonly Layer[],
  centres: Float32Array,
  q: Float32Array,
  assigned: Int32Array,
): Promise<number> {
  const k = q.length / rows.rows
  let changed = 0
  await encodeAll(rows, encoder, layers, centres, (first, n, result) => {
    q.set(result.q, first * k)
    for (let i = 0; i < n; i++) {
      let best = 0
      for (let j = 1; j < k; j++) if (result.q[i * k + j]! > result.q[i * k + best]!) best = j
      if (assigned[first + i] !== best) changed++
      assigned[first + i] = best
    }
  })
  return changed / rows.rows
}

async function encodeAll(
  rows: Rows,
  encoder: Encoder,
  layers: readonly Layer[],
  centres: Float32Array | null,
  visit: (first: number, n: number, result: Awaited<ReturnType<Encoder['encode']>>) => void,
): Promise<void> {
  // An encoder made for centres wants some; before they exist their values do not matter for the code.
  const given = centres ?? new Float32Array(encoder.centres * encoder.codeSize)
  for await (const { first, n, x } of rows.blocks(ENCODE_ROWS)) {
    visit(first, n, await encoder.encode(layers, given, x, n))
  }
}

/** f_j = Σ_i q_ij, the mass of each centre. */
export function columnSums(q: Float32Array, k: number): Float64Array {
  const sums = new Float64Array(k)
  for (let i = 0; i < q.length; i++) sums[i % k]! += q[i]!
  return sums
}

/** p_ij = (q_ij² / f_j) / Σ_j' (q_ij'² / f_j') (Xie et al. 2016, eq. 3) of the given rows, into `into`. */
export function targetDistribution(
  q: Float32Array,
  mass: Float64Array,
  k: number,
  positions: Int32Array,
  into: Float32Array,
): void {
  for (let i = 0; i < positions.length; i++) {
    const at = positions[i]! * k
    let sum = 0
    for (let j = 0; j < k; j++) sum += q[at + j]! ** 2 / mass[j]!
    for (let j = 0; j < k; j++) into[i * k + j] = q[at + j]! ** 2 / mass[j]! / sum
  }
}

/** Batches of one pass over the rows after the other, without end. */
async function* passes(
  rows: Rows,
  { batch, shuffle }: ClusterOptions,
  random: Random,
): AsyncGenerator<Batch> {
  for (;;) yield* rows.batches(batch, { shuffle, random })
}
