/** The report's model in two stages that can be run apart: many clusterings may start from one pretraining. */
import type { ModelOptions } from '../../bootstrap/presets.ts'
import type { Progress } from '../../bootstrap/progress.ts'
import { trainAutoencoder } from '../../model/autoencoder.ts'
import { type Clustered, type ClusterOptions, trainDec } from '../../model/dec.ts'
import { codeSize } from '../../model/graphs.ts'
import { pretrainLayerwise } from '../../model/layerwise.ts'
import { createNetwork, type Layer, type Network } from '../../model/network.ts'
import { createRandom, type RandomState } from '../../model/random.ts'
import type { Rows } from '../../model/rows.ts'
import { ENCODE_ROWS, mostProbable } from '../../model/soft-assignment.ts'
import { Encoder } from '../../model/trainer.ts'

export interface Pretraining {
  network: Network
  layers: Layer[]
  /** Mean squared error a feature of each epoch, in scaled units. */
  losses: number[]
  /** Where the random numbers stand; a clustering goes on from there, so that both stages together equal a bootstrap. */
  random: RandomState
  seconds: number
}

/** Trains the autoencoder alone. */
export async function pretrain(
  rows: Rows,
  options: ModelOptions,
  seed: number,
  progress: Progress,
  signal?: AbortSignal,
): Promise<Pretraining> {
  const started = performance.now()
  const random = createRandom(seed)
  const network = createNetwork(rows.features, options.hidden, options.code)
  const start =
    options.layerwise === undefined
      ? undefined
      : await pretrainLayerwise(rows, network, options.pretrain.initialiser, options.layerwise, random, {
          signal,
        })
  const step = progress.step('train autoencoder', options.pretrain.epochs)
  const { layers, losses } = await trainAutoencoder(
    rows,
    network,
    options.pretrain,
    random,
    (epoch, loss) => step.advance(epoch, `loss ${loss.toPrecision(3)}`),
    { layers: start, signal },
  )
  step.finish(`${losses.length} epochs, loss ${(losses.at(-1) ?? Number.NaN).toPrecision(3)}`)
  return { network, layers, losses, random: random.state(), seconds: secondsSince(started) }
}

/** DEC from a pretrained autoencoder, which stays as it is. */
export async function clusterFrom(
  rows: Rows,
  { network, layers, random }: Pretraining,
  options: ClusterOptions,
  progress: Progress,
  signal?: AbortSignal,
): Promise<{ dec: Clustered; seconds: number }> {
  const started = performance.now()
  const step = progress.step('train DEC', options.maxIterations)
  const dec = await trainDec(
    rows,
    network,
    layers,
    options,
    createRandom(random),
    ({ iteration, changed }) => step.advance(iteration, `${(100 * changed).toFixed(1)} % changed`),
    { signal },
  )
  step.finish(`${dec.updates.at(-1)?.iteration ?? 0} iterations, stopped by ${dec.stopped}`)
  return { dec, seconds: secondsSince(started) }
}

export interface Encoded {
  /** n × c. */
  code: Float32Array
  /** Most probable centre of each row; all 0 without centres. */
  assignment: Int32Array
  /** Mean squared error a feature. */
  error: number
}

/** Code, assignment and reconstruction error of all rows. `centres` is k × c, or null before there are any. */
export async function encodeRows(
  rows: Rows,
  network: Network,
  layers: readonly Layer[],
  centres: Float32Array | null,
): Promise<Encoded> {
  const encoder = await Encoder.create(network, centres === null ? 0 : centres.length / codeSize(network))
  try {
    const c = encoder.codeSize
    const code = new Float32Array(rows.rows * c)
    const assignment = new Int32Array(rows.rows)
    let squaredError = 0
    for await (const { first, n, x } of rows.blocks(ENCODE_ROWS)) {
      const encoded = await encoder.encode(layers, centres, x, n)
      code.set(encoded.code, first * c)
      assignment.set(mostProbable(encoded.q, n), first)
      for (const error of encoded.squaredError) squaredError += error
    }
    return { code, assignment, error: squaredError / (rows.rows * rows.features) }
  } finally {
    await encoder.release()
  }
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000
}
