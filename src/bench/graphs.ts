/** Graphs that stand beside the training step: the runtime's peak, the step's products alone, the encoder alone. */
import { codeSize, forward, isTransposed } from '../model/graphs.ts'
import { encoderOf, type Layer, layerSizes, type Network } from '../model/network.ts'
import { OnnxGraph } from '../model/onnx.ts'

/** `y` [m, n] = `x` [m, k] · a constant, which the runtime packs once. */
export function productGraph(m: number, constant: Float32Array, k: number, n: number): Uint8Array {
  const g = new OnnxGraph('product')
  g.input('x', 'float', [m, k])
  g.node('MatMul', ['x', g.initializer('constant', constant, [k, n])], {}, 'y')
  g.output('y', 'float', [m, n])
  return g.build()
}

/**
 * The matrix products of a training step and nothing else: no bias, activation, loss or update. What a step takes above
 * this is the cost of everything but the products. Inputs `x` [n, d], `weight<l>` in the layout of training; outputs
 * `gradient<l>` like the weights.
 */
export function stepProductsGraph(network: Network): Uint8Array {
  const g = new OnnxGraph('products-of-a-step')
  const sizes = layerSizes(network)
  const hidden = [g.input('x', 'float', ['n', network.widths[0]!])] // a network has at least its input
  for (const [l, [inputs, outputs]] of sizes.entries()) {
    const flag = Number(isTransposed(inputs, outputs))
    g.input(`weight${l}`, 'float', flag === 1 ? [outputs, inputs] : [inputs, outputs])
    hidden.push(g.node('Gemm', [hidden[l]!, `weight${l}`], { transB: { int: flag } }))
  }
  let delta = hidden.at(-1)! // the output
  for (const [l, [inputs, outputs]] of [...sizes.entries()].reverse()) {
    const flag = Number(isTransposed(inputs, outputs))
    const [left, right] = flag === 1 ? [delta, hidden[l]!] : [hidden[l]!, delta]
    g.node('Gemm', [left, right], { transA: { int: 1 } }, `gradient${l}`)
    g.output(`gradient${l}`, 'float', flag === 1 ? [outputs, inputs] : [inputs, outputs])
    if (l > 0) delta = g.node('Gemm', [delta, `weight${l}`], { transB: { int: 1 - flag } })
  }
  return g.build()
}

/** Scaled features `x` [n, d] to `code` [n, c] with the weights as constants, as in the scoring graph of a bundle. */
export function encoderGraph(network: Network, layers: readonly Layer[]): Uint8Array {
  const g = new OnnxGraph('encoder')
  const encoder = encoderOf(network)
  g.input('x', 'float', ['n', network.widths[0]!]) // a network has at least its input
  for (const l of layerSizes(encoder).keys()) {
    const { weight, bias, inputs, outputs } = layers[l]! // one layer a size
    g.initializer(`weight${l}`, weight, [inputs, outputs])
    g.initializer(`bias${l}`, bias, [outputs])
  }
  const code = forward(g, encoder, 'x').at(-1)! // the last layer
  g.node('Identity', [code], {}, 'code')
  g.output('code', 'float', ['n', codeSize(network)])
  return g.build()
}
