/**
 * Greedy layer-wise pretraining (Vincent et al. 2010; Xie, Girshick & Farhadi 2016, section 3.3): each encoder layer with
 * its mirror in the decoder is a denoising autoencoder of its own, trained on the codes of the layers before it.
 */

import { type DenoisingShape, DenoisingTrainer, type Stack } from './denoising.ts'
import { ModelError } from './errors.ts'
import { type Initialiser, initialiseLayers, type Layer, type Network } from './network.ts'
import { OnnxGraph } from './onnx.ts'
import type { Optimiser } from './optimisers.ts'
import type { Random, RandomState } from './random.ts'
import type { Batch, BatchOptions, Block, Rows } from './rows.ts'
import * as ort from './runtime.ts'
import { type Schedule, scheduledRate } from './schedule.ts'
import { floats } from './stepper.ts'

export interface LayerwiseOptions {
  optimiser: Optimiser
  learningRate: number
  schedule: Schedule
  batch: number
  /** Passes over the rows for each stack. */
  epochs: number
  /** Share of the units that a step drops. */
  dropout: number
}

/** Everything that training after a finished stack depends on, as plain data. */
export interface LayerwiseState {
  /** The finished stacks, outermost first. */
  stacks: Stack[]
  random: RandomState
}

export interface LayerwiseExtra {
  /** Stack, from 0, and epoch, from 1; loss is the mean squared error a value of the stack's input, with dropout. */
  onEpoch?: ((stack: number, epoch: number, loss: number) => void) | undefined
  /** Stops between two steps. */
  signal?: AbortSignal | undefined
  threads?: number | undefined
  /** Goes on from here, bit for bit, in place of the start; `random` is to be as it was at the start. */
  state?: LayerwiseState | null | undefined
  /** Called after each stack with what can be handed in later. */
  onState?: ((state: LayerwiseState) => void) | undefined
}

/**
 * Trains stack after stack and returns the layers of the whole network, to be trained on end to end. Dropout falls on
 * the input of every stack but the first and on every hidden layer but the code, as in the authors' code. Inputs of the
 * inner stacks are encoded batch by batch: memory does not depend on the number of rows.
 */
export async function pretrainLayerwise(
  rows: Rows,
  network: Network,
  initialiser: Initialiser,
  options: LayerwiseOptions,
  random: Random,
  extra: LayerwiseExtra = {},
): Promise<Layer[]> {
  const layers = initialiseLayers(network, initialiser, random)
  const stacks: Stack[] = [...(extra.state?.stacks ?? [])]
  if (extra.state != null) random.restore(extra.state.random)
  for (let s = stacks.length; s < network.codeLayer; s++) {
    // A network has a decoder layer for every encoder layer.
    const start = { encoder: layers[s]!, decoder: layers[layers.length - 1 - s]! }
    const shape = stackShape(network, s, options.dropout)
    const inputs =
      s === 0
        ? rows
        : await EncodedRows.create(
            rows,
            stacks.map(({ encoder }) => encoder),
            extra.threads,
          )
    try {
      stacks.push(await trainStack(inputs, s, shape, start, options, random, extra))
    } finally {
      if (inputs !== rows) await inputs.release()
    }
    extra.onState?.({ stacks: [...stacks], random: random.state() })
  }
  return [...stacks.map(({ encoder }) => encoder), ...stacks.map(({ decoder }) => decoder).toReversed()]
}

function stackShape(network: Network, s: number, dropout: number): DenoisingShape {
  const last = s + 1 === network.codeLayer
  return {
    inputs: network.widths[s]!, // widths is longer than the code's index
    hidden: network.widths[s + 1]!,
    hiddenRelu: !last,
    outputRelu: s > 0,
    inputDropout: s > 0 ? dropout : 0,
    hiddenDropout: last ? 0 : dropout,
  }
}

async function trainStack(
  rows: Rows,
  s: number,
  shape: DenoisingShape,
  start: Stack,
  options: LayerwiseOptions,
  random: Random,
  { onEpoch, signal, threads }: LayerwiseExtra,
): Promise<Stack> {
  const { batch, epochs, schedule, learningRate } = options
  const trainer = await DenoisingTrainer.create(shape, start, options.optimiser, threads)
  try {
    const stepsPerEpoch = Math.ceil(rows.rows / batch)
    const total = epochs * stepsPerEpoch
    let step = 0
    for (let epoch = 1; epoch <= epochs; epoch++) {
      let squaredError = 0
      for await (const { x, n } of rows.batches(batch, { shuffle: true, random })) {
        signal?.throwIfAborted()
        const rate = scheduledRate(learningRate, schedule, { step, total, stepsPerEpoch })
        step++
        squaredError += await trainer.step(x, n, rate, random)
      }
      const loss = squaredError / (rows.rows * shape.inputs)
      if (!Number.isFinite(loss)) throw diverged(s, epoch, loss, learningRate)
      onEpoch?.(s, epoch, loss)
    }
    return trainer.stack()
  } finally {
    await trainer.release()
  }
}

function diverged(s: number, epoch: number, loss: number, rate: number): ModelError {
  return new ModelError(
    'diverged',
    `layer-wise pretraining of layer ${s + 1}: the loss is ${loss} after epoch ${epoch}; lower training.pretrain.layerwise.learning_rate to ${rate / 10} (now ${rate})`,
  )
}

/** The rows of another set behind the first layers of an encoder, each with its ReLU; computed as they are read. */
class EncodedRows implements Rows {
  readonly rows: number
  readonly features: number
  private readonly from: Rows
  private readonly session: ort.InferenceSession

  static async create(from: Rows, layers: readonly Layer[], threads?: number): Promise<EncodedRows> {
    const g = new OnnxGraph('encoded-rows')
    let value = g.input('x', 'float', ['n', from.features])
    let width = from.features
    layers.forEach(({ weight, bias, inputs, outputs }, l) => {
      const sum = g.node('Gemm', [
        value,
        g.initializer(`weight${l}`, weight, [inputs, outputs]),
        g.initializer(`bias${l}`, bias, [outputs]),
      ])
      value = g.node('Relu', [sum])
      width = outputs
    })
    g.output(value, 'float', ['n', width])
    const session = await ort.InferenceSession.create(g.build(), ort.sessionOptions(threads))
    return new EncodedRows(from, width, session)
  }

  private constructor(from: Rows, width: number, session: ort.InferenceSession) {
    this.from = from
    this.rows = from.rows
    this.features = width
    this.session = session
  }

  async *batches(batch: number, options: BatchOptions): AsyncGenerator<Batch> {
    for await (const given of this.from.batches(batch, options)) {
      yield { ...given, x: await this.encode(given.x, given.n) }
    }
  }

  async *blocks(rowsPerBlock: number): AsyncGenerator<Block> {
    for await (const given of this.from.blocks(rowsPerBlock)) {
      yield { ...given, x: await this.encode(given.x, given.n) }
    }
  }

  /** Releases what it has made itself; the rows it reads belong to the caller. */
  async release(): Promise<void> {
    await this.session.release()
  }

  private async encode(x: Float32Array, n: number): Promise<Float32Array> {
    const d = this.from.features
    const result = await this.session.run({ x: new ort.Tensor('float32', x.subarray(0, n * d), [n, d]) })
    return floats(Object.values(result)[0])
  }
}
