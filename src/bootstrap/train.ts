/** Rows → network, centres, losses: pretraining of the autoencoder, then DEC. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { meanPredictorError, type Pretrained, trainAutoencoder } from '../model/autoencoder.ts'
import { type Clustered, checkCentres, type DecUpdate, trainDec } from '../model/dec.ts'
import { ModelError } from '../model/errors.ts'
import { pretrainLayerwise } from '../model/layerwise.ts'
import { createNetwork, type Layer, type Network } from '../model/network.ts'
import { createRandom, type Random } from '../model/random.ts'
import type { Rows } from '../model/rows.ts'
import { watchCollapse } from './collapse.ts'
import { checkPretrained } from './guards.ts'
import type { ModelOptions } from './presets.ts'
import type { Progress } from './progress.ts'
import { loadState, saveState, type TrainingState } from './training-state.ts'

export interface Trained {
  network: Network
  options: ModelOptions
  seed: number
  /** Mean squared error a feature of each epoch of the autoencoder, in scaled units. */
  losses: number[]
  /** The error of always predicting the mean. */
  meanPredictor: number
  dec: Clustered
}

/** Parameters of an older model to start from, and what identifies it. */
export interface WarmStart {
  version: string
  layers: readonly Layer[]
  /** k × c. */
  centres: Float32Array
}

export interface TrainExtra {
  signal?: AbortSignal | undefined
  /** Of the runtime; by default one a core. */
  threads?: number | undefined
  /** Where what does not fit memory goes, by default the system's temporary directory. */
  directory?: string | undefined
  /** In place of random weights and k-means. */
  warm?: WarmStart | undefined
  /** File that keeps the state of the training, and what identifies its rows: a training goes on from its own. */
  checkpoint?: { path: string; rows: string } | undefined
}

/**
 * Trains on all rows; the same rows, options and seed give the same bits on one machine, whether or not the training
 * was interrupted in between.
 */
export async function trainModel(
  rows: Rows,
  options: ModelOptions,
  seed: number,
  progress: Progress,
  extra: TrainExtra = {},
): Promise<Trained> {
  checkCentres(rows.rows, options.cluster)
  const { checkpoint } = extra
  const identity = createHash('sha256')
    .update(JSON.stringify([checkpoint?.rows, options, seed, extra.threads, extra.warm?.version]))
    .digest('hex')
  const state = checkpoint === undefined ? null : resume(checkpoint.path, identity, options, progress)
  const meanPredictor = state?.meanPredictor ?? (await meanPredictorError(rows))
  if (meanPredictor === 0) {
    throw new ModelError(
      'too_little_data',
      'no feature varies over the training windows: there is nothing to learn from',
    )
  }
  const network = createNetwork(rows.features, options.hidden, options.code)
  const run: Run = {
    rows,
    network,
    options,
    random: createRandom(seed),
    progress,
    extra,
    state: state ?? { meanPredictor, layerwise: null, pretrain: null, dec: null },
    save(stage) {
      if (checkpoint === undefined) return
      saveState(checkpoint.path, identity, { ...run.state, layerwise: null, ...stage })
    },
  }
  const { layers, losses } = await pretrain(run)
  checkPretrained({ losses, meanPredictorError: meanPredictor, options })
  const dec = await cluster(run, layers, losses)
  return { network, options, seed, losses, meanPredictor, dec }
}

interface Run {
  rows: Rows
  network: Network
  options: ModelOptions
  random: Random
  progress: Progress
  extra: TrainExtra
  state: TrainingState
  /** Keeps the stages given; the tensors of earlier ones are no longer needed. */
  save(stage: Partial<TrainingState>): void
}

/** The autoencoder; of one that an interrupted run has finished, only the losses. */
async function pretrain(run: Run): Promise<Pretrained> {
  const { rows, network, options, random, extra, state } = run
  if (state.dec !== null) return { layers: [], losses: state.pretrain?.losses ?? [] }
  const layers = extra.warm?.layers ?? (state.pretrain === null ? await trainLayerwise(run) : undefined)
  const step = run.progress.step('train autoencoder', options.pretrain.epochs)
  const pretrained = await trainAutoencoder(
    rows,
    network,
    options.pretrain,
    random,
    (epoch, loss) => step.advance(epoch, `loss ${loss.toPrecision(3)}`),
    {
      layers,
      signal: extra.signal,
      threads: extra.threads,
      state: state.pretrain,
      onState: (stateOf) => run.save({ pretrain: stateOf() }),
    },
  )
  const last = pretrained.losses.at(-1) ?? Number.NaN
  step.finish(
    `${options.pretrain.epochs} epochs, loss ${last.toPrecision(3)} (mean predictor ${state.meanPredictor.toPrecision(3)})`,
  )
  return pretrained
}

/** Layers that layer-wise pretraining leaves; undefined where it is not asked for. */
async function trainLayerwise({ rows, network, options, random, ...run }: Run): Promise<Layer[] | undefined> {
  if (options.layerwise === undefined) return undefined
  const { epochs } = options.layerwise
  const step = run.progress.step('train layer by layer', network.codeLayer * epochs)
  const layers = await pretrainLayerwise(
    rows,
    network,
    options.pretrain.initialiser,
    options.layerwise,
    random,
    {
      signal: run.extra.signal,
      threads: run.extra.threads,
      state: run.state.layerwise,
      onState: (layerwise) => run.save({ layerwise }),
      onEpoch: (stack, epoch, loss) =>
        step.advance(stack * epochs + epoch, `layer ${stack + 1}, loss ${loss.toPrecision(3)}`),
    },
  )
  step.finish(`${network.codeLayer} layers, ${epochs} epochs each`)
  return layers
}

async function cluster(run: Run, layers: readonly Layer[], losses: number[]): Promise<Clustered> {
  const { rows, network, options, random, extra, state } = run
  const watch = watchCollapse(options, state.meanPredictor)
  const step = run.progress.step('train DEC', options.cluster.maxIterations)
  const dec = await trainDec(
    rows,
    network,
    layers,
    options.cluster,
    random,
    (update, whole) => {
      step.advance(update.iteration, describeUpdate(update))
      watch(update, whole)
    },
    {
      signal: extra.signal,
      threads: extra.threads,
      directory: extra.directory,
      centres: extra.warm?.centres,
      state: state.dec,
      onState(stateOf) {
        // Of the autoencoder's training only the losses are still needed.
        const done = { trainer: { steps: 0, tensors: {} }, random: random.state(), losses }
        run.save({ pretrain: done, dec: stateOf() })
      },
    },
  )
  const last = dec.updates.at(-1)
  const ended = last === undefined ? '' : `, ${describeUpdate(last)}`
  step.finish(`${last?.iteration ?? 0} iterations, stopped by ${dec.stopped}${ended}`)
  return dec
}

function describeUpdate({ changed, divergence, squaredError }: DecUpdate): string {
  const moved = `${(100 * changed).toFixed(1)} % changed`
  // Before the first step there are no losses yet.
  if (squaredError === 0) return moved
  return `KL ${divergence.toPrecision(3)}, MSE ${squaredError.toPrecision(3)}, ${moved}`
}

/** The state of an earlier run of the same training, told of in the progress; null to begin. */
function resume(
  path: string,
  identity: string,
  options: ModelOptions,
  progress: Progress,
): TrainingState | null {
  if (!existsSync(path)) return null
  const step = progress.step('resume')
  const state = loadState(path, identity)
  step.finish(
    state === null
      ? 'trains anew: what is kept is of other options of training, or damaged'
      : describeState(state, options),
  )
  return state
}

function describeState({ layerwise, pretrain, dec }: TrainingState, options: ModelOptions): string {
  if (dec !== null) {
    return `continues after iteration ${dec.iteration} of at most ${options.cluster.maxIterations} of DEC`
  }
  if (pretrain !== null) {
    return `continues after epoch ${pretrain.losses.length} of ${options.pretrain.epochs} of the autoencoder`
  }
  return `continues after layer ${layerwise?.stacks.length ?? 0} of ${options.hidden.length + 1}`
}
