/** The autoencoder's shape and parameters: dense layers, ReLU inside, linear at the code and at the output. */
import type { Random } from './random.ts'

export interface Network {
  /** Layer widths from input to output, a mirror around the code: d, …, code, …, d. */
  widths: number[]
  /** Index into `widths` of the code. */
  codeLayer: number
}

/** One dense layer: y = x·weight + bias, weight row-major in × out. */
export interface Layer {
  weight: Float32Array
  bias: Float32Array
  inputs: number
  outputs: number
}

/**
 * `variance-scaling`: uniform with variance 1/(3·fan_in), as the DEC authors' Keras port;
 * `normal-0.01`: N(0, 0.01²), as the report. Biases start at zero.
 */
export type Initialiser = 'variance-scaling' | 'normal-0.01'

export function createNetwork(features: number, hidden: readonly number[], code: number): Network {
  return {
    widths: [features, ...hidden, code, ...hidden.toReversed(), features],
    codeLayer: hidden.length + 1,
  }
}

export function initialiseLayers(network: Network, initialiser: Initialiser, random: Random): Layer[] {
  return layerSizes(network).map(([inputs, outputs]) => {
    const weight = new Float32Array(inputs * outputs)
    // Keras' VarianceScaling(scale=1/3, fan_in, uniform) draws from ±sqrt(3·scale/fan_in).
    const limit = Math.sqrt(1 / inputs)
    for (let i = 0; i < weight.length; i++) {
      weight[i] = initialiser === 'normal-0.01' ? 0.01 * random.normal() : limit * (2 * random.uniform() - 1)
    }
    return { weight, bias: new Float32Array(outputs), inputs, outputs }
  })
}

/** [inputs, outputs] of every layer. */
export function layerSizes(network: Network): [number, number][] {
  // widths has one entry more than there are layers, so both indices exist.
  return network.widths.slice(1).map((outputs, i) => [network.widths[i]!, outputs])
}

/** The half of a network that ends at its code. */
export function encoderOf({ widths, codeLayer }: Network): Network {
  return { widths: widths.slice(0, codeLayer + 1), codeLayer }
}

/** Number of weights, biases left out; training costs 6 FLOP a weight and row. */
export function weightCount(network: Network): number {
  return layerSizes(network).reduce((sum, [inputs, outputs]) => sum + inputs * outputs, 0)
}

/** True for layers followed by ReLU: all but the code and the output. */
export function hasRelu(network: Network, layer: number): boolean {
  return layer + 1 !== network.codeLayer && layer + 1 !== network.widths.length - 1
}
