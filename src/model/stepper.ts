import { adamRate, type Optimiser, type ParameterNames } from './optimisers.ts'
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
 * A training graph with its parameters, in preallocated tensors, so that no step allocates. Parameters live in two
 * sets: each step reads one and writes the other. Optimiser state is written in place, which keeps the working set in
 * the cache; a graph may therefore read a state tensor in one node only, before or while it writes the next.
 */
export class Stepper {
  private readonly session: ort.InferenceSession
  private readonly parameters: readonly ParameterNames[]
  private readonly optimiser: Optimiser
  private readonly sets: readonly [Tensors, Tensors]
  private readonly optimiserState: Tensors
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
    const session = await ort.InferenceSession.create(graph, ort.sessionOptions(threads))
    return new Stepper(session, parameters, optimiser, start)
  }

  private constructor(
    session: ort.InferenceSession,
    parameters: readonly ParameterNames[],
    optimiser: Optimiser,
    start: StepperState,
  ) {
    this.session = session
    this.parameters = parameters
    this.optimiser = optimiser
    const first: Tensors = {}
    const second: Tensors = {}
    this.optimiserState = {}
    for (const { name, shape, state } of parameters) {
      first[name] = startTensor(start, name, shape, false)
      second[name] = startTensor(start, name, shape, false)
      for (const s of state) this.optimiserState[s] = startTensor(start, s, shape, start.steps === 0)
    }
    this.sets = [first, second]
    this.steps = start.steps
  }

  /** One update at the learning rate `rate`; returns the outputs of the graph named in `outputs`. */
  async step(inputs: Tensors, rate: number, outputs: readonly string[]): Promise<Tensors> {
    const effective = this.optimiser.kind === 'sgd' ? rate : adamRate(rate, this.steps + 1)
    const feeds = {
      ...this.sets[this.current],
      ...this.optimiserState,
      ...inputs,
      rate: scalar(effective),
    }
    const other = this.current === 0 ? 1 : 0
    const fetches: Record<string, ort.Tensor | null> = {}
    for (const name of outputs) fetches[name] = null
    for (const [name, tensor] of Object.entries(this.sets[other])) fetches[`next.${name}`] = tensor
    for (const [name, tensor] of Object.entries(this.optimiserState)) fetches[`next.${name}`] = tensor
    const result = await this.session.run(feeds, fetches)
    this.current = other
    this.steps++
    return result
  }

  /** Copy of a tensor of a parameter or of its optimiser state. */
  copy(name: string): Float32Array {
    return floats(this.sets[this.current][name] ?? this.optimiserState[name]).slice()
  }

  state(): StepperState {
    const names = this.parameters.flatMap(({ name, state }) => [name, ...state])
    return { steps: this.steps, tensors: Object.fromEntries(names.map((name) => [name, this.copy(name)])) }
  }

  async release(): Promise<void> {
    await this.session.release()
  }
}

/** A copy of `name` in `start`; `optional` makes it zeros where `start` lacks it. */
function startTensor(
  { tensors }: StepperState,
  name: string,
  shape: readonly number[],
  optional: boolean,
): ort.Tensor {
  const size = shape.reduce((product, n) => product * n, 1)
  const values = tensors[name] ?? (optional ? new Float32Array(size) : undefined)
  if (values?.length !== size) {
    throw new RangeError(
      `the training state has ${values?.length ?? 'no'} values of ${name}, the network needs ${size}`,
    )
  }
  return new ort.Tensor('float32', values.slice(), shape)
}

export function scalar(value: number): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.of(value), [])
}

/** Data of a float tensor; the training graphs return no other type. */
export function floats(tensor: ort.Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new TypeError(`expected a float tensor, got ${tensor?.type ?? 'nothing'}`)
}
