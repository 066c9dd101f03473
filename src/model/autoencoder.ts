import { ModelError } from './errors.ts'
import type { Optimiser } from './graphs.ts'
import { type Initialiser, initialiseLayers, type Layer, type Network } from './network.ts'
import type { Random } from './random.ts'
import type { ScaledRows } from './rows.ts'
import { Trainer } from './trainer.ts'

export interface PretrainOptions {
  optimiser: Optimiser
  initialiser: Initialiser
  learningRate: number
  /** `constant`, or `cosine`: decays to zero over all steps. */
  schedule: 'constant' | 'cosine'
  batch: number
  epochs: number
}

export interface Pretrained {
  layers: Layer[]
  /** Mean squared error a feature of each epoch, in scaled units. */
  losses: number[]
}

/** Trains the autoencoder on reconstruction. `onEpoch` is told after each epoch; `signal` stops between steps. */
export async function trainAutoencoder(
  rows: ScaledRows,
  network: Network,
  options: PretrainOptions,
  random: Random,
  onEpoch: (epoch: number, loss: number) => void,
  signal?: AbortSignal,
): Promise<Pretrained> {
  const layers = initialiseLayers(network, options.initialiser, random)
  const trainer = await Trainer.create(network, layers, options.optimiser)
  try {
    const losses: number[] = []
    const total = options.epochs * stepsPerEpoch(rows, options.batch)
    let step = 0
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      let squaredError = 0
      await eachBatch(rows, options.batch, random, async (x, n) => {
        signal?.throwIfAborted()
        const rate =
          options.schedule === 'constant'
            ? options.learningRate
            : (options.learningRate * (1 + Math.cos((Math.PI * step) / total))) / 2
        step++
        squaredError += (await trainer.step(x, n, rate)).squaredError
      })
      const loss = squaredError / (rows.rows * rows.features)
      if (!Number.isFinite(loss)) {
        throw new ModelError(
          'diverged',
          `the autoencoder's loss is ${loss} after epoch ${epoch + 1}; lower training.pretrain.learning_rate (now ${options.learningRate})`,
        )
      }
      losses.push(loss)
      onEpoch(epoch + 1, loss)
    }
    return { layers: trainer.layers(), losses }
  } finally {
    await trainer.release()
  }
}

function stepsPerEpoch(rows: ScaledRows, batch: number): number {
  let steps = 0
  for (let chunk = 0; chunk < rows.chunks; chunk++) steps += Math.ceil(rows.span(chunk).rows / batch)
  return steps
}

/**
 * Calls `visit` with every row once, in random order, in batches (the last of a chunk may be smaller). Chunks are
 * taken in random order and shuffled inside.
 */
async function eachBatch(
  rows: ScaledRows,
  batch: number,
  random: Random,
  visit: (x: Float32Array, n: number) => Promise<void>,
): Promise<void> {
  const d = rows.features
  const x = new Float32Array(batch * d)
  const chunks = Int32Array.from({ length: rows.chunks }, (_, i) => i)
  random.shuffle(chunks)
  for (const chunk of chunks) {
    const data = await rows.load(chunk)
    const order = Int32Array.from({ length: data.length / d }, (_, i) => i)
    random.shuffle(order)
    for (let first = 0; first < order.length; first += batch) {
      const n = Math.min(batch, order.length - first)
      for (let i = 0; i < n; i++) {
        const row = order[first + i]! // first + i < length
        x.set(data.subarray(row * d, (row + 1) * d), i * d)
      }
      await visit(x, n)
    }
  }
}

/** The error of the best constant: the mean over features of the variance of the scaled rows. */
export async function meanPredictorError(rows: ScaledRows): Promise<number> {
  const d = rows.features
  const mean = new Float64Array(d)
  const m2 = new Float64Array(d)
  let n = 0
  for (let chunk = 0; chunk < rows.chunks; chunk++) {
    const data = await rows.load(chunk)
    for (let r = 0; r * d < data.length; r++) {
      n++
      for (let f = 0; f < d; f++) {
        // Welford's update: exact for constant columns.
        const delta = data[r * d + f]! - mean[f]!
        mean[f]! += delta / n
        m2[f]! += delta * (data[r * d + f]! - mean[f]!)
      }
    }
  }
  return m2.reduce((a, b) => a + b, 0) / (n * d)
}
