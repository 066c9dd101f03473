import { ModelError } from './errors.ts'
import { type Initialiser, initialiseLayers, type Layer, type Network } from './network.ts'
import type { Optimiser } from './optimisers.ts'
import type { Random, RandomState } from './random.ts'
import type { Rows } from './rows.ts'
import { type Schedule, scheduledRate } from './schedule.ts'
import type { StepperState } from './stepper.ts'
import { Trainer } from './trainer.ts'

export interface PretrainOptions {
  optimiser: Optimiser
  initialiser: Initialiser
  learningRate: number
  schedule: Schedule
  batch: number
  epochs: number
}

export interface Pretrained {
  layers: Layer[]
  /** Mean squared error a feature of each epoch, in scaled units. */
  losses: number[]
}

/** Everything that training after an epoch depends on, as plain data. */
export interface PretrainState {
  trainer: StepperState
  random: RandomState
  /** Of the epochs done. */
  losses: number[]
}

export interface PretrainExtra {
  /** Stops between two steps. */
  signal?: AbortSignal | undefined
  threads?: number | undefined
  /** Parameters to start from, in place of the initialiser's. */
  layers?: readonly Layer[] | undefined
  /** Goes on from here, bit for bit, in place of the start. */
  state?: PretrainState | null | undefined
  /** Called after each epoch; what `state` returns is valid at once only, and can be handed in later. */
  onState?: ((state: () => PretrainState) => void) | undefined
}

/** Trains the autoencoder on reconstruction. `onEpoch` is told after each epoch. */
export async function trainAutoencoder(
  rows: Rows,
  network: Network,
  options: PretrainOptions,
  random: Random,
  onEpoch: (epoch: number, loss: number) => void,
  extra: PretrainExtra = {},
): Promise<Pretrained> {
  const { signal, state, threads } = extra
  const trainer =
    state == null
      ? await Trainer.create(
          network,
          extra.layers ?? initialiseLayers(network, options.initialiser, random),
          options.optimiser,
          null,
          threads,
        )
      : await Trainer.restore(network, state.trainer, options.optimiser, null, threads)
  if (state != null) random.restore(state.random)
  try {
    const losses = [...(state?.losses ?? [])]
    const stepsPerEpoch = Math.ceil(rows.rows / options.batch)
    const total = options.epochs * stepsPerEpoch
    let step = losses.length * stepsPerEpoch
    for (let epoch = losses.length; epoch < options.epochs; epoch++) {
      let squaredError = 0
      for await (const { x, n } of rows.batches(options.batch, { shuffle: true, random })) {
        signal?.throwIfAborted()
        const rate = scheduledRate(options.learningRate, options.schedule, { step, total, stepsPerEpoch })
        step++
        squaredError += (await trainer.step(x, n, rate)).squaredError
      }
      const loss = squaredError / (rows.rows * rows.features)
      if (!Number.isFinite(loss)) {
        throw new ModelError(
          'diverged',
          `the autoencoder's loss is ${loss} after epoch ${epoch + 1}; lower training.pretrain.learning_rate (now ${options.learningRate})`,
        )
      }
      losses.push(loss)
      onEpoch(epoch + 1, loss)
      const now = { random: random.state(), losses: [...losses] }
      extra.onState?.(() => ({ ...now, trainer: trainer.state() }))
    }
    return { layers: trainer.layers(), losses }
  } finally {
    await trainer.release()
  }
}

/** Rows read at once where order does not matter: 1.8 MB at d = 460. */
const READ_ROWS = 1024

/** The error of the best constant: the mean over features of the variance of the scaled rows. */
export async function meanPredictorError(rows: Rows): Promise<number> {
  const d = rows.features
  const mean = new Float64Array(d)
  const m2 = new Float64Array(d)
  let seen = 0
  for await (const { x, n } of rows.blocks(READ_ROWS)) {
    for (let r = 0; r < n; r++) {
      seen++
      for (let f = 0; f < d; f++) {
        // Welford's update: exact for constant columns.
        const delta = x[r * d + f]! - mean[f]! // r < n, f < d
        mean[f]! += delta / seen
        m2[f]! += delta * (x[r * d + f]! - mean[f]!)
      }
    }
  }
  return m2.reduce((a, b) => a + b, 0) / (seen * d)
}
