/** Rows → network, centres, losses: pretraining of the autoencoder, then DEC. */
import { meanPredictorError, trainAutoencoder } from '../model/autoencoder.ts'
import { type Clustered, trainDec } from '../model/dec.ts'
import { ModelError } from '../model/errors.ts'
import { pretrainLayerwise } from '../model/layerwise.ts'
import { createNetwork, type Layer, type Network } from '../model/network.ts'
import { createRandom, type Random } from '../model/random.ts'
import type { Rows } from '../model/rows.ts'
import { watchCollapse } from './collapse.ts'
import { checkPretrained } from './guards.ts'
import type { ModelOptions } from './presets.ts'
import type { Progress } from './progress.ts'

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

/** Trains on all rows; the same rows, options and seed give the same bits on one machine. */
export async function trainModel(
  rows: Rows,
  options: ModelOptions,
  seed: number,
  progress: Progress,
  { signal, threads }: { signal?: AbortSignal | undefined; threads?: number | undefined } = {},
): Promise<Trained> {
  const random = createRandom(seed)
  const meanPredictor = await meanPredictorError(rows)
  if (meanPredictor === 0) {
    throw new ModelError(
      'too_little_data',
      'no feature varies over the training windows: there is nothing to learn from',
    )
  }
  const network = createNetwork(rows.features, options.hidden, options.code)
  const start = await layerwise(rows, network, options, random, progress, { signal, threads })
  const pretraining = progress.step('train autoencoder', options.pretrain.epochs)
  const { layers, losses } = await trainAutoencoder(
    rows,
    network,
    options.pretrain,
    random,
    (epoch, loss) => pretraining.advance(epoch, `loss ${loss.toPrecision(3)}`),
    { layers: start, signal, threads },
  )
  const last = losses.at(-1) ?? Number.NaN
  pretraining.finish(
    `${options.pretrain.epochs} epochs, loss ${last.toPrecision(3)} (mean predictor ${meanPredictor.toPrecision(3)})`,
  )
  checkPretrained({ losses, meanPredictorError: meanPredictor, options })
  const watch = watchCollapse(options, meanPredictor)
  const clustering = progress.step('train DEC', options.cluster.maxIterations)
  const dec = await trainDec(
    rows,
    network,
    layers,
    options.cluster,
    random,
    (update, whole) => {
      clustering.advance(update.iteration, `${(100 * update.changed).toFixed(1)} % changed`)
      watch(update, whole)
    },
    { signal, threads },
  )
  clustering.finish(`${dec.updates.at(-1)?.iteration ?? 0} iterations, stopped by ${dec.stopped}`)
  return { network, options, seed, losses, meanPredictor, dec }
}

/** Layers that layer-wise pretraining leaves; undefined where it is not asked for. */
async function layerwise(
  rows: Rows,
  network: Network,
  { layerwise: options, pretrain }: ModelOptions,
  random: Random,
  progress: Progress,
  extra: { signal?: AbortSignal | undefined; threads?: number | undefined },
): Promise<Layer[] | undefined> {
  if (options === undefined) return undefined
  const { epochs } = options
  const step = progress.step('train layer by layer', network.codeLayer * epochs)
  const layers = await pretrainLayerwise(rows, network, pretrain.initialiser, options, random, {
    ...extra,
    onEpoch: (stack, epoch, loss) =>
      step.advance(stack * epochs + epoch, `layer ${stack + 1}, loss ${loss.toPrecision(3)}`),
  })
  step.finish(`${network.codeLayer} layers, ${epochs} epochs each`)
  return layers
}
