import { ADAM, type Optimiser, type ParameterNames } from './graphs.ts'
import * as ort from './runtime.ts'

export type Tensors = Record<string, ort.Tensor>

/** All that a training has learned: a stepper restored from it goes on bit for bit as the one it was taken from. */
export interface StepperState {
  /** Steps done; Adam's bias correction depends on them. */
  steps: number
  /** Copies of every parameter and its optimiser state by the name of the tensor. */
  tensors: Record<string, Float32Array>
}

/**
 * A training graph with its parameters. They live in two sets of preallocated tensors: each step reads one set and
 * writes the other, so that no step allocates.
 */
export class Stepper {
  private readonly session: ort.InferenceSession
  private readonly parameters: readonly ParameterNames[]
  private readonly optimiser: Optimiser
  private readonly sets: [Tensors, Tensors]
  private current: 0 | 1 = 0
  private steps: number

  /**
   * `graph` takes every tensor of `parameters`, `rate` [] and more inputs, and returns the tensors as `next.<name>` and
   * more outputs. `start` holds the parameters; optimiser state that it lacks is zero. `threads`: of the runtime, by
   * default one a core.
   */
  static async create(
    graph: Uint8Array,
    parameters: readonly ParameterNames[],
    optimiser: Optimiser,
    start: StepperState,
    threads?: number,
  ): Promise<Stepper> {
    const sets: [Tensors, Tensors] = [copyTensors(parameters, start), copyTensors(parameters, start)]
    const session = await ort.InferenceSession.create(graph, ort.sessionOptions(threads))
    return new Stepper(session, parameters, optimiser, sets, start.steps)
  }

  private constructor(
    session: ort.InferenceSession,
    parameters: readonly ParameterNames[],
    optimiser: Optimiser,
    sets: [Tensors, Tensors],
    steps: number,
  ) {
    this.session = session
    this.parameters = parameters
    this.optimiser = optimiser
    this.sets = sets
    this.steps = steps
  }

  /** One update at the learning rate `rate`; returns the outputs of the graph named in `outputs`. */
  async step(inputs: Tensors, rate: number, outputs: readonly string[]): Promise<Tensors> {
    this.steps++
    const feeds = { ...this.sets[this.current], ...inputs, rate: scalar(this.effectiveRate(rate)) }
    const other = this.current === 0 ? 1 : 0
    const fetches: Record<string, ort.Tensor | null> = {}
    for (const name of outputs) fetches[name] = null
    for (const [name, tensor] of Object.entries(this.sets[other])) fetches[`next.${name}`] = tensor
    const result = await this.session.run(feeds, fetches)
    this.current = other
    return result
  }

  /** Copy of a tensor of a parameter or of its optimiser state. */
  copy(name: string): Float32Array {
    return floats(this.sets[this.current][name]).slice()
  }

  state(): StepperState {
    const names = this.parameters.flatMap(({ name, state }) => [name, ...state])
    return { steps: this.steps, tensors: Object.fromEntries(names.map((name) => [name, this.copy(name)])) }
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

function copyTensors(parameters: readonly ParameterNames[], { tensors, steps }: StepperState): Tensors {
  const copies: Tensors = {}
  for (const { name, shape, state } of parameters) {
    const size = shape.reduce((product, n) => product * n, 1)
    for (const tensor of [name, ...state]) {
      // Before the first step an optimiser has no state yet.
      const values = tensors[tensor] ?? (tensor !== name && steps === 0 ? new Float32Array(size) : undefined)
      if (values?.length !== size) {
        throw new RangeError(
          `the training state has ${values?.length ?? 'no'} values of ${tensor}, the network needs ${size}`,
        )
      }
      copies[tensor] = new ort.Tensor('float32', values.slice(), shape)
    }
  }
  return copies
}

export function scalar(value: number): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.of(value), [])
}

/** Data of a float tensor; the training graphs return no other type. */
export function floats(tensor: ort.Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new TypeError(`expected a float tensor, got ${tensor?.type ?? 'nothing'}`)
}
