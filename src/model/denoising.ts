/**
 * A two-layer denoising autoencoder (Vincent et al. 2010), the stack that layer-wise pretraining trains: part of the
 * input and of the hidden units is dropped, and the clean input is to come out. One training step is one ONNX graph,
 * with gradients written by hand as in `graphs.ts`.
 */
import { addOnes, maskByRelu } from './graphs.ts'
import type { Layer } from './network.ts'
import { OnnxGraph } from './onnx.ts'
import { addUpdate, type Gradient, type Optimiser, type ParameterNames, parameter } from './optimisers.ts'
import type { Random } from './random.ts'
import * as ort from './runtime.ts'
import { floats, Stepper, scalar, type Tensors } from './stepper.ts'

export interface DenoisingShape {
  inputs: number
  hidden: number
  /** Whether ReLU follows the hidden layer, and the reconstruction. */
  hiddenRelu: boolean
  outputRelu: boolean
  /** Share of the inputs and of the hidden units that a step drops; what stays is scaled up by 1/(1 − share). */
  inputDropout: number
  hiddenDropout: number
}

export interface Stack {
  encoder: Layer
  decoder: Layer
}

function denoisingParameters({ inputs, hidden }: DenoisingShape, optimiser: Optimiser): ParameterNames[] {
  return [
    parameter('weight0', [inputs, hidden], optimiser),
    parameter('bias0', [hidden], optimiser),
    parameter('weight1', [hidden, inputs], optimiser),
    parameter('bias1', [inputs], optimiser),
  ]
}

/**
 * One step of mean((y − x)²), y = g(f((x ∘ input_mask)·W₀ + b₀) ∘ hidden_mask)·W₁ + b₁) with f and g ReLU or nothing.
 *
 * Inputs: `x` [n, d]; `input_mask` [n, d] and `hidden_mask` [n, h] where their dropout is above 0; `inverse_rows` [] = 1/n;
 * `rate` []; parameters and state. Outputs: `next.*`; `squared_error` [] summed over n·d.
 */
export function denoisingGraph(shape: DenoisingShape, optimiser: Optimiser): Uint8Array {
  const { inputs: d, hidden: h } = shape
  const g = new OnnxGraph('denoising-step')
  const x = g.input('x', 'float', ['n', d])
  const inverseRows = g.input('inverse_rows', 'float', [])
  const rate = g.input('rate', 'float', [])
  const inputMask = shape.inputDropout > 0 ? g.input('input_mask', 'float', ['n', d]) : null
  const hiddenMask = shape.hiddenDropout > 0 ? g.input('hidden_mask', 'float', ['n', h]) : null
  const parameters = denoisingParameters(shape, optimiser)
  for (const { name, shape: size, state } of parameters) {
    for (const tensor of [name, ...state]) g.input(tensor, 'float', size)
  }
  const masked = (value: string, mask: string | null): string =>
    mask === null ? value : g.node('Mul', [value, mask])
  const relu = (value: string, on: boolean): string => (on ? g.node('Relu', [value]) : value)
  /** The gradient before a ReLU from the one behind it, whose output is `active`. */
  const throughRelu = (gradient: string, active: string, on: boolean): string =>
    on ? maskByRelu(g, gradient, active) : gradient

  const corrupted = masked(x, inputMask)
  const hidden = relu(g.node('Gemm', [corrupted, 'weight0', 'bias0']), shape.hiddenRelu)
  const kept = masked(hidden, hiddenMask)
  const output = relu(g.node('Gemm', [kept, 'weight1', 'bias1']), shape.outputRelu)
  const error = g.node('Sub', [output, x])
  g.node('ReduceSumSquare', [error], { keepdims: { int: 0 } }, 'squared_error')
  g.output('squared_error', 'float', [])

  // As in `trainingGraph`, with SGD the rate rides in the back-propagated error.
  const scale = optimiser.kind === 'sgd' ? g.node('Mul', [inverseRows, rate]) : inverseRows
  const update = (name: string, gradient: Gradient): void => addUpdate(g, optimiser, rate, name, gradient)
  const ones = addOnes(g, x)
  const columnSum = (value: string): Gradient => ({ kind: 'value', value: g.node('MatMul', [ones, value]) })
  const outer = g.node('Mul', [error, g.node('Mul', [scale, g.scalar(2 / d)])])
  const outerDelta = throughRelu(outer, output, shape.outputRelu)
  update('weight1', { kind: 'product', left: kept, right: outerDelta })
  update('bias1', columnSum(outerDelta))
  const inner = masked(g.node('Gemm', [outerDelta, 'weight1'], { transB: { int: 1 } }), hiddenMask)
  const innerDelta = throughRelu(inner, hidden, shape.hiddenRelu)
  update('weight0', { kind: 'product', left: corrupted, right: innerDelta })
  update('bias0', columnSum(innerDelta))
  for (const { name, shape: size, state } of parameters) {
    for (const tensor of [name, ...state]) g.output(`next.${tensor}`, 'float', size)
  }
  return g.build()
}

/** Trains one stack, a batch a step. */
export class DenoisingTrainer {
  private readonly shape: DenoisingShape
  private readonly stepper: Stepper
  private inputMask: Float32Array = new Float32Array(0)
  private hiddenMask: Float32Array = new Float32Array(0)

  static async create(
    shape: DenoisingShape,
    start: Stack,
    optimiser: Optimiser,
    threads?: number,
  ): Promise<DenoisingTrainer> {
    const tensors = {
      weight0: start.encoder.weight,
      bias0: start.encoder.bias,
      weight1: start.decoder.weight,
      bias1: start.decoder.bias,
    }
    const stepper = await Stepper.create(
      denoisingGraph(shape, optimiser),
      denoisingParameters(shape, optimiser),
      optimiser,
      { steps: 0, tensors },
      threads,
    )
    return new DenoisingTrainer(shape, stepper)
  }

  private constructor(shape: DenoisingShape, stepper: Stepper) {
    this.shape = shape
    this.stepper = stepper
  }

  /** One update on `rows` rows of `x`; returns the squared error summed over rows and inputs, with the dropout. */
  async step(x: Float32Array, rows: number, rate: number, random: Random): Promise<number> {
    const { inputs: d, hidden: h, inputDropout, hiddenDropout } = this.shape
    const feeds: Tensors = {
      x: new ort.Tensor('float32', x.subarray(0, rows * d), [rows, d]),
      inverse_rows: scalar(1 / rows),
    }
    if (inputDropout > 0) {
      this.inputMask = drawMask(this.inputMask, rows * d, inputDropout, random)
      feeds.input_mask = new ort.Tensor('float32', this.inputMask.subarray(0, rows * d), [rows, d])
    }
    if (hiddenDropout > 0) {
      this.hiddenMask = drawMask(this.hiddenMask, rows * h, hiddenDropout, random)
      feeds.hidden_mask = new ort.Tensor('float32', this.hiddenMask.subarray(0, rows * h), [rows, h])
    }
    const { squared_error } = await this.stepper.step(feeds, rate, ['squared_error'])
    return floats(squared_error)[0] ?? Number.NaN
  }

  /** Copies of the current parameters. */
  stack(): Stack {
    const { inputs, hidden } = this.shape
    const { stepper } = this
    return {
      encoder: { weight: stepper.copy('weight0'), bias: stepper.copy('bias0'), inputs, outputs: hidden },
      decoder: {
        weight: stepper.copy('weight1'),
        bias: stepper.copy('bias1'),
        inputs: hidden,
        outputs: inputs,
      },
    }
  }

  async release(): Promise<void> {
    await this.stepper.release()
  }
}

/** Fills `size` values with 0 (a share of `dropped`) or 1/(1 − dropped), so that the expectation of a sum stays. */
export function drawMask(buffer: Float32Array, size: number, dropped: number, random: Random): Float32Array {
  const mask = buffer.length < size ? new Float32Array(size) : buffer
  const kept = 1 / (1 - dropped)
  for (let i = 0; i < size; i++) mask[i] = random.uniform() < dropped ? 0 : kept
  return mask
}
