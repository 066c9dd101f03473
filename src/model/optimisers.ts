/** Updates of parameters as nodes of a training graph: SGD with momentum, and Adam. */
import type { OnnxGraph } from './onnx.ts'

/**
 * `sgd`: v ← m·v − rate·g, w ← w + v (Keras' SGD with momentum m).
 * `adam`: Kingma & Ba 2015, with the bias correction folded into the rate by the caller.
 */
export type Optimiser = { kind: 'sgd'; momentum: number } | { kind: 'adam' }

/** Kingma & Ba 2015, section 2, and Keras' epsilon, which keeps float32 quotients of tiny moments tame. */
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const

/** A parameter and its optimiser state, as names of tensors. */
export interface ParameterNames {
  name: string
  shape: number[]
  state: string[]
}

/** A parameter with the state that its optimiser keeps, in the names that `addUpdate` uses. */
export function parameter(name: string, shape: number[], { kind }: Optimiser): ParameterNames {
  return { name, shape, state: kind === 'sgd' ? [`velocity.${name}`] : [`mean.${name}`, `square.${name}`] }
}

/** A gradient: a tensor, or the product leftᵀ·right that an update can take into its own Gemm. */
export type Gradient = { kind: 'value'; value: string } | { kind: 'product'; left: string; right: string }

/**
 * Adds the update of a parameter and its optimiser state. `rate` [] is what the optimiser wants of the caller; with SGD
 * the gradient holds it already.
 */
export function addUpdate(
  g: OnnxGraph,
  optimiser: Optimiser,
  rate: string,
  name: string,
  gradient: Gradient,
): void {
  if (optimiser.kind === 'sgd') sgdUpdate(g, name, gradient, optimiser.momentum)
  else adamUpdate(g, name, gradient, rate)
}

/**
 * Computes `next.<name>` and `next.velocity.<name>` from `<name>` and `velocity.<name>`. `gradient` already holds the
 * rate. For products the momentum rides in Gemm's C input.
 */
function sgdUpdate(g: OnnxGraph, name: string, gradient: Gradient, momentum: number): void {
  const velocity = `velocity.${name}`
  if (gradient.kind === 'product') {
    g.node(
      'Gemm',
      [gradient.left, gradient.right, velocity],
      { transA: { int: 1 }, alpha: { float: -1 }, beta: { float: momentum } },
      `next.${velocity}`,
    )
  } else {
    const kept = g.node('Mul', [velocity, g.scalar(momentum)])
    g.node('Sub', [kept, gradient.value], {}, `next.${velocity}`)
  }
  g.node('Add', [name, `next.${velocity}`], {}, `next.${name}`)
}

/**
 * Computes `next.<name>`, `next.mean.<name>` and `next.square.<name>` from the same without `next`. `rate` [] holds the
 * bias correction (see `adamRate`), `gradient` holds no rate. The state is kept undivided, mean/(1 − β₁) and
 * square/(1 − β₂): each saves a pass over the parameters, and the factors go into the rate and ε.
 */
function adamUpdate(g: OnnxGraph, name: string, gradient: Gradient, rate: string): void {
  const value =
    gradient.kind === 'value'
      ? gradient.value
      : g.node('Gemm', [gradient.left, gradient.right], { transA: { int: 1 } })
  const decay = (state: string, beta: number, fresh: string): string =>
    g.node('Add', [g.node('Mul', [state, g.scalar(beta)]), fresh], {}, `next.${state}`)
  const mean = decay(`mean.${name}`, ADAM.beta1, value)
  const square = decay(`square.${name}`, ADAM.beta2, g.node('Mul', [value, value]))
  const epsilon = g.scalar(ADAM.epsilon / Math.sqrt(1 - ADAM.beta2))
  const denominator = g.node('Add', [g.node('Sqrt', [square]), epsilon])
  const step = g.node('Div', [g.node('Mul', [mean, rate]), denominator])
  g.node('Sub', [name, step], {}, `next.${name}`)
}

/**
 * The `rate` that `adamUpdate` wants in step number `step`, from 1: with the bias correction (Kingma & Ba 2015, end of
 * section 2) and the factors that its state leaves out.
 */
export function adamRate(rate: number, step: number): number {
  const correction = Math.sqrt(1 - ADAM.beta2 ** step) / (1 - ADAM.beta1 ** step)
  return (rate * correction * (1 - ADAM.beta1)) / Math.sqrt(1 - ADAM.beta2)
}
