/**
 * Training and encoding as ONNX graphs. One training step (forward, backward, update of every parameter) is one
 * graph: parameters and optimiser state come in as tensors and leave as tensors, so that a step is one call into the
 * runtime. Gradients are written out by hand; `test/model/graphs.test.ts` holds them against finite differences.
 */
import { encoderOf, hasRelu, layerSizes, type Network } from './network.ts'
import { type Attribute, OnnxGraph } from './onnx.ts'
import { addUpdate, type Gradient, type Optimiser, type ParameterNames, parameter } from './optimisers.ts'

/** The clustering term γ·KL(p‖q) beside the reconstruction error. */
export interface Clustering {
  centres: number
  gamma: number
  /** Weight of the reconstruction error, by default 1. With 0 the decoder stays as it is, as in the first DEC. */
  reconstruction?: number
}

/** The tensors that a training graph takes and returns (as `next.<name>`), in a fixed order. */
export function parameterNames(
  network: Network,
  optimiser: Optimiser,
  clustering: Clustering | null,
): ParameterNames[] {
  const names = layerSizes(network).flatMap(([inputs, outputs], l) => [
    parameter(`weight${l}`, isTransposed(inputs, outputs) ? [outputs, inputs] : [inputs, outputs], optimiser),
    parameter(`bias${l}`, [outputs], optimiser),
  ])
  if (clustering !== null) {
    names.push(parameter('centres', [clustering.centres, codeSize(network)], optimiser))
  }
  return names
}

/**
 * True for layers whose weight training holds as out × in. The runtime's product for the gradient of a weight packs
 * its left factor anew for every stripe of 128 columns; of a tall result it takes 10 to 20 % longer than of a wide one.
 */
export function isTransposed(inputs: number, outputs: number): boolean {
  return inputs > outputs
}

/**
 * One step of mean((y − x)²), with clustering times its weight + γ·mean over rows of KL(p‖q), by hand-written back-propagation.
 *
 * Inputs: `x` [n, d]; `target` [n, k] with clustering; `inverse_rows` [] = 1/n; `rate` []; parameters and state.
 * Outputs: `next.*`; `squared_error` [] summed over n·d; with clustering `divergence` [] summed over n.
 */
export function trainingGraph(
  network: Network,
  optimiser: Optimiser,
  clustering: Clustering | null,
): Uint8Array {
  const g = new OnnxGraph('training-step')
  const d = network.widths[0]! // a network has at least its input
  const x = g.input('x', 'float', ['n', d])
  const inverseRows = g.input('inverse_rows', 'float', [])
  const rate = g.input('rate', 'float', [])
  const parameters = parameterNames(network, optimiser, clustering)
  for (const { name, shape, state } of parameters) {
    for (const tensor of [name, ...state]) g.input(tensor, 'float', shape)
  }
  const transposed = layerSizes(network).map(([inputs, outputs]) => isTransposed(inputs, outputs))

  const hidden = forward(g, network, x, transposed)
  const last = hidden.length - 1
  const error = g.node('Sub', [hidden[last]!, x])
  g.node('ReduceSumSquare', [error], { keepdims: { int: 0 } }, 'squared_error')
  g.output('squared_error', 'float', [])

  // With SGD the rate rides in the back-propagated error: gradients are linear in it, so no gradient is rescaled.
  const scale = optimiser.kind === 'sgd' ? g.node('Mul', [inverseRows, rate]) : inverseRows
  const reconstruction = clustering?.reconstruction ?? 1
  let delta = g.node('Mul', [error, g.node('Mul', [scale, g.scalar((2 * reconstruction) / d)])])
  const update = (name: string, gradient: Gradient): void => addUpdate(g, optimiser, rate, name, gradient)

  let codeGradient: string | null = null
  if (clustering !== null) {
    const target = g.input('target', 'float', ['n', clustering.centres])
    const terms = divergence(g, hidden[network.codeLayer]!, target, codeSize(network))
    g.output('divergence', 'float', [])
    const factor = g.node('Mul', [scale, g.scalar(2 * clustering.gamma)])
    codeGradient = g.node('Mul', [terms.code, factor])
    update('centres', { kind: 'value', value: g.node('Mul', [terms.centres, factor]) })
  }

  const ones = addOnes(g, x)
  for (let l = last - 1; l >= 0; l--) {
    // hidden[l] is the input of layer l, delta the gradient at its output before the activation.
    const input = hidden[l]!
    if (reconstruction === 0 && codeGradient !== null && l >= network.codeLayer) {
      for (const { name, state } of parameters.slice(2 * l, 2 * l + 2)) {
        for (const tensor of [name, ...state]) g.node('Identity', [tensor], {}, `next.${tensor}`)
      }
      delta = codeGradient
      continue
    }
    const [left, right] = transposed[l] ? [delta, input] : [input, delta]
    update(`weight${l}`, { kind: 'product', left, right })
    update(`bias${l}`, { kind: 'value', value: g.node('MatMul', [ones, delta]) })
    if (l === 0) break
    delta = g.node('Gemm', [delta, `weight${l}`], { transB: { int: transposed[l] ? 0 : 1 } })
    if (l === network.codeLayer && codeGradient !== null) delta = g.node('Add', [delta, codeGradient])
    if (hasRelu(network, l - 1)) delta = maskByRelu(g, delta, input)
  }
  for (const { name, shape, state } of parameters) {
    for (const tensor of [name, ...state]) g.output(`next.${tensor}`, 'float', shape)
  }
  return g.build()
}

/**
 * Rows to codes, and with `centres` to soft assignments. Inputs `x` [n, d], parameters (and `centres` [k, c]).
 * Outputs `code` [n, c], with centres `q` [n, k]. With `reconstruct` the decoder follows, and `squared_error` [n] summed
 * over d; without it, its parameters are no inputs.
 */
export function encodingGraph(network: Network, centres: number | null, reconstruct: boolean): Uint8Array {
  const g = new OnnxGraph('encoding')
  const x = g.input('x', 'float', ['n', network.widths[0]!])
  const part = reconstruct ? network : encoderOf(network)
  layerSizes(part).forEach(([inputs, outputs], l) => {
    g.input(`weight${l}`, 'float', [inputs, outputs])
    g.input(`bias${l}`, 'float', [outputs])
  })
  const hidden = forward(g, part, x)
  const code = hidden[network.codeLayer]!
  g.node('Identity', [code], {}, 'code')
  g.output('code', 'float', ['n', codeSize(network)])
  if (reconstruct) {
    const error = g.node('Sub', [hidden.at(-1)!, x]) // the output layer
    g.node('ReduceSumSquare', [error, g.axes(1)], { keepdims: { int: 0 } }, 'squared_error')
    g.output('squared_error', 'float', ['n'])
  }
  if (centres !== null) {
    g.input('centres', 'float', [centres, codeSize(network)])
    const { q } = assignment(g, code, 'centres')
    g.node('Identity', [q], {}, 'q')
    g.output('q', 'float', ['n', centres])
  }
  return g.build()
}

export function codeSize(network: Network): number {
  return network.widths[network.codeLayer]! // createNetwork puts it there
}

/**
 * Input and the activated output of every layer, as tensor names. Parameters are tensors `weight<l>` (in × out, or
 * out × in where `transposed`) and `bias<l>`.
 */
export function forward(
  g: OnnxGraph,
  network: Network,
  x: string,
  transposed: readonly boolean[] = [],
): string[] {
  const hidden = [x]
  layerSizes(network).forEach((_, l) => {
    const layout: Record<string, Attribute> = transposed[l] ? { transB: { int: 1 } } : {}
    const sum = g.node('Gemm', [hidden[l]!, `weight${l}`, `bias${l}`], layout)
    hidden.push(hasRelu(network, l) ? g.node('Relu', [sum]) : sum)
  })
  return hidden
}

/**
 * Student-t soft assignment with one degree of freedom (Xie, Girshick & Farhadi 2016, eq. 1):
 * q_ij ∝ (1 + ‖z_i − μ_j‖²)⁻¹. Returns q, the kernel before normalisation and the squared distances, all [n, k].
 */
export function assignment(
  g: OnnxGraph,
  code: string,
  centres: string,
): { q: string; kernel: string; squaredDistance: string } {
  const squares = (values: string, keep: number): string =>
    g.node('ReduceSumSquare', [values, g.axes(1)], { keepdims: { int: keep } })
  const cross = g.node('Gemm', [code, centres], { transB: { int: 1 }, alpha: { float: -2 } })
  const sum = g.node('Add', [g.node('Add', [cross, squares(code, 1)]), squares(centres, 0)])
  // Rounding can leave a point on its centre slightly below zero.
  const squaredDistance = g.node('Max', [sum, g.scalar(0)])
  const kernel = g.node('Reciprocal', [g.node('Add', [squaredDistance, g.scalar(1)])])
  const q = g.node('Div', [kernel, g.node('ReduceSum', [kernel, g.axes(1)], { keepdims: { int: 1 } })])
  return { q, kernel, squaredDistance }
}

/**
 * KL(p‖q) and half its gradients, summed over rows (Xie et al. 2016, eqs. 4 and 5 with α = 1):
 * ∂L/∂z_i = 2·Σ_j m_ij·(z_i − μ_j), ∂L/∂μ_j = −2·Σ_i m_ij·(z_i − μ_j), m_ij = (p_ij − q_ij)/(1 + ‖z_i − μ_j‖²).
 */
function divergence(
  g: OnnxGraph,
  code: string,
  target: string,
  size: number,
): { code: string; centres: string } {
  const { q, kernel } = assignment(g, code, 'centres')
  const ratio = g.node('Div', [target, q])
  // p·log(p/q) is 0 where p is 0; Max keeps the logarithm finite there.
  const terms = g.node('Mul', [target, g.node('Log', [g.node('Max', [ratio, g.scalar(1e-30)])])])
  g.node('ReduceSum', [terms], { keepdims: { int: 0 } }, 'divergence')
  const m = g.node('Mul', [g.node('Sub', [target, q]), kernel])
  const rowSum = g.node('ReduceSum', [m, g.axes(1)], { keepdims: { int: 1 } })
  const columnSum = g.node('Reshape', [
    g.node('ReduceSum', [m, g.axes(0)], { keepdims: { int: 0 } }),
    g.axes(-1, 1),
  ])
  const towards = g.node('Gemm', [m, 'centres', g.node('Expand', [g.scalar(0), g.axes(1, size)])])
  return {
    code: g.node('Sub', [g.node('Mul', [rowSum, code]), towards]),
    centres: g.node('Sub', [
      g.node('Mul', [columnSum, 'centres']),
      g.node('Gemm', [m, code], { transA: { int: 1 } }),
    ]),
  }
}

/** As many ones as `x` has rows: its product with a matrix is the sum over rows, several times as fast as ReduceSum. */
export function addOnes(g: OnnxGraph, x: string): string {
  return g.node('Expand', [g.scalar(1), g.node('Shape', [x], { end: { int: 1 } })])
}

/** Above 1 divided by the smallest normal float32. */
const STEEP = 3e38

/**
 * `delta` where `activated`, the output of a ReLU, is above zero; 0 elsewhere. HardSigmoid(s·x) = min(1, max(0, s·x))
 * is that mask in one threaded pass; Where and Greater take three times as long. NaN stays NaN.
 */
export function maskByRelu(g: OnnxGraph, delta: string, activated: string): string {
  const mask = g.node('HardSigmoid', [activated], { alpha: { float: STEEP }, beta: { float: 0 } })
  return g.node('Mul', [delta, mask])
}
