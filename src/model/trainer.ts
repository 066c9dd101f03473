import {
  type Clustering,
  codeSize,
  encodingGraph,
  isTransposed,
  parameterNames,
  trainingGraph,
} from './graphs.ts'
import { type Layer, layerSizes, type Network } from './network.ts'
import type { Optimiser } from './optimisers.ts'
import * as ort from './runtime.ts'
import { floats, Stepper, type StepperState, scalar, type Tensors } from './stepper.ts'

export interface StepLoss {
  /** Squared error summed over rows and features. */
  squaredError: number
  /** KL(p‖q) summed over rows; 0 without clustering. */
  divergence: number
}

/** Trains a network, and with clustering its centres, one batch a step. */
export class Trainer {
  private readonly network: Network
  private readonly clustering: Clustering | null
  private readonly stepper: Stepper

  /** `threads`: of the runtime, by default one a core. */
  static async create(
    network: Network,
    layers: readonly Layer[],
    optimiser: Optimiser,
    clustering: (Clustering & { initial: Float32Array }) | null = null,
    threads?: number,
  ): Promise<Trainer> {
    const tensors: Record<string, Float32Array> = {}
    layers.forEach((layer, l) => {
      const { weight, inputs, outputs } = layer
      tensors[`weight${l}`] = isTransposed(inputs, outputs) ? transpose(weight, inputs, outputs) : weight
      tensors[`bias${l}`] = layer.bias
    })
    if (clustering !== null) tensors.centres = clustering.initial
    return Trainer.restore(network, { steps: 0, tensors }, optimiser, clustering, threads)
  }

  /** Goes on from the `state()` of a trainer of the same network, optimiser and clustering, bit for bit. */
  static async restore(
    network: Network,
    state: StepperState,
    optimiser: Optimiser,
    clustering: Clustering | null = null,
    threads?: number,
  ): Promise<Trainer> {
    const graph = trainingGraph(network, optimiser, clustering)
    const parameters = parameterNames(network, optimiser, clustering)
    const stepper = await Stepper.create(graph, parameters, optimiser, state, threads)
    return new Trainer(network, clustering, stepper)
  }

  private constructor(network: Network, clustering: Clustering | null, stepper: Stepper) {
    this.network = network
    this.clustering = clustering
    this.stepper = stepper
  }

  /** One update on `rows` rows of `x` (and their rows of the target distribution, with clustering). */
  async step(x: Float32Array, rows: number, rate: number, target?: Float32Array): Promise<StepLoss> {
    const d = this.network.widths[0]! // the input width
    const inputs: Tensors = {
      x: new ort.Tensor('float32', x.subarray(0, rows * d), [rows, d]),
      inverse_rows: scalar(1 / rows),
    }
    if (this.clustering === null) {
      const { squared_error } = await this.stepper.step(inputs, rate, ['squared_error'])
      return { squaredError: first(squared_error), divergence: 0 }
    }
    const k = this.clustering.centres
    if (target === undefined) throw new TypeError('a step with clustering needs the target distribution')
    inputs.target = new ort.Tensor('float32', target.subarray(0, rows * k), [rows, k])
    const { squared_error, divergence } = await this.stepper.step(inputs, rate, [
      'squared_error',
      'divergence',
    ])
    return { squaredError: first(squared_error), divergence: first(divergence) }
  }

  /** Copies of the current parameters. */
  layers(): Layer[] {
    return layerSizes(this.network).map(([inputs, outputs], l) => {
      const stored = this.stepper.copy(`weight${l}`)
      const weight = isTransposed(inputs, outputs) ? transpose(stored, outputs, inputs) : stored
      return { weight, bias: this.stepper.copy(`bias${l}`), inputs, outputs }
    })
  }

  /** Copy of the current centres, k × c; empty without clustering. */
  centres(): Float32Array {
    return this.clustering === null ? new Float32Array(0) : this.stepper.copy('centres')
  }

  /** Everything that `restore` needs, as copies. */
  state(): StepperState {
    return this.stepper.state()
  }

  async release(): Promise<void> {
    await this.stepper.release()
  }
}

/** Codes, assignments and errors of rows under given parameters. */
export class Encoder {
  readonly codeSize: number
  readonly centres: number
  private readonly network: Network
  private readonly whole: ort.InferenceSession
  private readonly half: ort.InferenceSession

  /** `centres`: how many, or 0 to encode without assignment. `threads`: of the runtime, by default one a core. */
  static async create(network: Network, centres: number, threads?: number): Promise<Encoder> {
    const load = (reconstruct: boolean): Promise<ort.InferenceSession> => {
      const graph = encodingGraph(network, centres === 0 ? null : centres, reconstruct)
      return ort.InferenceSession.create(graph, ort.sessionOptions(threads))
    }
    return new Encoder(network, centres, await load(true), await load(false))
  }

  private constructor(
    network: Network,
    centres: number,
    whole: ort.InferenceSession,
    half: ort.InferenceSession,
  ) {
    this.network = network
    this.centres = centres
    this.codeSize = codeSize(network)
    this.whole = whole
    this.half = half
  }

  /** `code` rows × c, `q` rows × k (empty without centres), `squaredError` a row summed over features. */
  async encode(
    layers: readonly Layer[],
    centres: Float32Array | null,
    x: Float32Array,
    rows: number,
  ): Promise<Encoded & { squaredError: Float32Array }> {
    const result = await this.whole.run(this.feeds(layers, centres, x, rows))
    return { ...encoded(result), squaredError: floats(result.squared_error) }
  }

  /** `code` and `q` as `encode` gives them, without the decoder: half the work. */
  async assign(
    layers: readonly Layer[],
    centres: Float32Array | null,
    x: Float32Array,
    rows: number,
  ): Promise<Encoded> {
    const needed = layers.slice(0, this.network.codeLayer)
    return encoded(await this.half.run(this.feeds(needed, centres, x, rows)))
  }

  async release(): Promise<void> {
    await this.whole.release()
    await this.half.release()
  }

  private feeds(
    layers: readonly Layer[],
    centres: Float32Array | null,
    x: Float32Array,
    rows: number,
  ): Tensors {
    const d = this.network.widths[0]! // the input width
    const feeds: Tensors = { x: new ort.Tensor('float32', x.subarray(0, rows * d), [rows, d]) }
    layers.forEach((layer, l) => {
      feeds[`weight${l}`] = new ort.Tensor('float32', layer.weight, [layer.inputs, layer.outputs])
      feeds[`bias${l}`] = new ort.Tensor('float32', layer.bias, [layer.outputs])
    })
    if (centres !== null) feeds.centres = new ort.Tensor('float32', centres, [this.centres, this.codeSize])
    return feeds
  }
}

interface Encoded {
  code: Float32Array
  q: Float32Array
}

function encoded({ code, q }: Tensors): Encoded {
  return { code: floats(code), q: q === undefined ? new Float32Array(0) : floats(q) }
}

/** rows × columns to columns × rows. */
function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c]! // within rows × columns
  }
  return result
}

/** A loss: a tensor of one value. */
function first(tensor: ort.Tensor | undefined): number {
  return floats(tensor)[0] ?? Number.NaN
}
