import {
  ADAM,
  type Clustering,
  codeSize,
  encodingGraph,
  type Optimiser,
  parameterNames,
  trainingGraph,
} from './graphs.ts'
import type { Layer, Network } from './network.ts'
import * as ort from './runtime.ts'

type Tensors = Record<string, ort.Tensor>

export interface StepLoss {
  /** Squared error summed over rows and features. */
  squaredError: number
  /** KL(p‖q) summed over rows; 0 without clustering. */
  divergence: number
}

/**
 * A training graph with its parameters. They live in two sets of preallocated tensors: each step reads one set and
 * writes the other, so that no step allocates.
 */
export class Trainer {
  private readonly network: Network
  private readonly optimiser: Optimiser
  private readonly clustering: Clustering | null
  private readonly session: ort.InferenceSession
  private readonly sets: [Tensors, Tensors]
  private current: 0 | 1 = 0
  private steps = 0

  static async create(
    network: Network,
    layers: readonly Layer[],
    optimiser: Optimiser,
    clustering: (Clustering & { initial: Float32Array }) | null = null,
  ): Promise<Trainer> {
    const session = await ort.InferenceSession.create(trainingGraph(network, optimiser, clustering))
    return new Trainer(session, network, layers, optimiser, clustering)
  }

  private constructor(
    session: ort.InferenceSession,
    network: Network,
    layers: readonly Layer[],
    optimiser: Optimiser,
    clustering: (Clustering & { initial: Float32Array }) | null,
  ) {
    this.session = session
    this.network = network
    this.optimiser = optimiser
    this.clustering = clustering
    const initial = new Map<string, Float32Array>()
    layers.forEach((layer, l) => {
      initial.set(`weight${l}`, layer.weight)
      initial.set(`bias${l}`, layer.bias)
    })
    if (clustering !== null) initial.set('centres', clustering.initial)
    const build = (): Tensors => {
      const tensors: Tensors = {}
      for (const { name, shape, state } of parameterNames(network, optimiser, clustering)) {
        const size = shape.reduce((product, n) => product * n, 1)
        const values = Float32Array.from(initial.get(name)!) // every parameter was put in above
        tensors[name] = new ort.Tensor('float32', values, shape)
        for (const s of state) tensors[s] = new ort.Tensor('float32', new Float32Array(size), shape)
      }
      return tensors
    }
    this.sets = [build(), build()]
  }

  /** One update on `rows` rows of `x` (and their rows of the target distribution, with clustering). */
  async step(x: Float32Array, rows: number, rate: number, target?: Float32Array): Promise<StepLoss> {
    this.steps++
    const d = this.network.widths[0]! // the input width
    const feeds: Tensors = {
      ...this.sets[this.current],
      x: new ort.Tensor('float32', x.subarray(0, rows * d), [rows, d]),
      inverse_rows: scalar(1 / rows),
      rate: scalar(this.effectiveRate(rate)),
    }
    if (this.clustering !== null && target !== undefined) {
      const k = this.clustering.centres
      feeds.target = new ort.Tensor('float32', target.subarray(0, rows * k), [rows, k])
    }
    const other = this.current === 0 ? 1 : 0
    const fetches: Record<string, ort.Tensor | null> = { squared_error: null }
    if (this.clustering !== null) fetches.divergence = null
    for (const [name, tensor] of Object.entries(this.sets[other])) fetches[`next.${name}`] = tensor
    const result = await this.session.run(feeds, fetches)
    this.current = other
    return { squaredError: first(result.squared_error), divergence: first(result.divergence) }
  }

  /** Copies of the current parameters. */
  layers(): Layer[] {
    const set = this.sets[this.current]
    return this.network.widths.slice(1).map((outputs, l) => ({
      weight: copy(set[`weight${l}`]),
      bias: copy(set[`bias${l}`]),
      inputs: this.network.widths[l]!, // widths is one longer than layers
      outputs,
    }))
  }

  /** Copy of the current centres, k × c; empty without clustering. */
  centres(): Float32Array {
    return copy(this.sets[this.current].centres)
  }

  async release(): Promise<void> {
    await this.session.release()
  }

  /** Adam's bias correction, folded into the rate (Kingma & Ba 2015, end of section 2). */
  private effectiveRate(rate: number): number {
    if (this.optimiser.kind === 'sgd') return rate
    return (rate * Math.sqrt(1 - ADAM.beta2 ** this.steps)) / (1 - ADAM.beta1 ** this.steps)
  }
}

/** Codes, assignments and errors of rows under given parameters. */
export class Encoder {
  readonly codeSize: number
  private readonly network: Network
  private readonly session: ort.InferenceSession
  readonly centres: number

  /** `centres`: how many, or 0 to encode without assignment. */
  static async create(network: Network, centres: number): Promise<Encoder> {
    const graph = encodingGraph(network, centres === 0 ? null : centres)
    return new Encoder(await ort.InferenceSession.create(graph), network, centres)
  }

  private constructor(session: ort.InferenceSession, network: Network, centres: number) {
    this.session = session
    this.network = network
    this.centres = centres
    this.codeSize = codeSize(network)
  }

  /** `code` rows × c, `squaredError` a row summed over features, `q` rows × k (empty without centres). */
  async encode(
    layers: readonly Layer[],
    centres: Float32Array | null,
    x: Float32Array,
    rows: number,
  ): Promise<{ code: Float32Array; squaredError: Float32Array; q: Float32Array }> {
    const d = this.network.widths[0]! // the input width
    const feeds: Tensors = { x: new ort.Tensor('float32', x.subarray(0, rows * d), [rows, d]) }
    layers.forEach((layer, l) => {
      feeds[`weight${l}`] = new ort.Tensor('float32', layer.weight, [layer.inputs, layer.outputs])
      feeds[`bias${l}`] = new ort.Tensor('float32', layer.bias, [layer.outputs])
    })
    if (centres !== null) feeds.centres = new ort.Tensor('float32', centres, [this.centres, this.codeSize])
    const result = await this.session.run(feeds)
    return {
      code: values(result.code),
      squaredError: values(result.squared_error),
      q: result.q === undefined ? new Float32Array(0) : values(result.q),
    }
  }

  async release(): Promise<void> {
    await this.session.release()
  }
}

function scalar(value: number): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.of(value), [])
}

/** Data of a float tensor; the graphs of this project return no other type here. */
function values(tensor: ort.Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new TypeError(`expected a float tensor, got ${tensor?.type ?? 'nothing'}`)
}

function copy(tensor: ort.Tensor | undefined): Float32Array {
  return tensor === undefined ? new Float32Array(0) : values(tensor).slice()
}

function first(tensor: ort.Tensor | undefined): number {
  return tensor === undefined ? 0 : (values(tensor)[0] ?? 0)
}
