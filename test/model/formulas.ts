/** The network, its losses and the scoring in plain float64 loops, written from the formulas and not from the graphs. */
import type { Layer, Network } from '../../src/model/network.ts'

/** Parameters as double-precision copies; `centres` is k × c, empty without clustering. */
export interface Parameters {
  weights: Float64Array[]
  biases: Float64Array[]
  centres: Float64Array
}

export function toParameters(layers: readonly Layer[], centres: ArrayLike<number> = []): Parameters {
  return {
    weights: layers.map(({ weight }) => Float64Array.from(weight)),
    biases: layers.map(({ bias }) => Float64Array.from(bias)),
    centres: Float64Array.from(centres),
  }
}

/** Every parameter tensor with the name that a message gives it. */
export function tensors({ weights, biases, centres }: Parameters): { name: string; data: Float64Array }[] {
  return [
    ...weights.map((data, l) => ({ name: `weight ${l}`, data })),
    ...biases.map((data, l) => ({ name: `bias ${l}`, data })),
    { name: 'centres', data: centres },
  ]
}

/** Output of every layer for one row; the last one is the reconstruction. */
export function activations(
  network: Network,
  { weights, biases }: Parameters,
  row: Float64Array,
): Float64Array[] {
  const { widths, codeLayer } = network
  const out: Float64Array[] = []
  let input = row
  for (let l = 0; l + 1 < widths.length; l++) {
    const weight = weights[l]!
    const linear = l + 1 === codeLayer || l + 2 === widths.length
    const from = input
    const width = widths[l + 1]!
    input = Float64Array.from({ length: width }, (_, j) => {
      let sum = biases[l]![j]!
      for (let i = 0; i < from.length; i++) sum += from[i]! * weight[i * width + j]!
      return linear ? sum : Math.max(0, sum)
    })
    out.push(input)
  }
  return out
}

export function rowsOf(x: ArrayLike<number>, d: number, n = x.length / d): Float64Array[] {
  return Array.from({ length: n }, (_, i) => Float64Array.from({ length: d }, (_, f) => x[i * d + f]!))
}

export function encode(network: Network, parameters: Parameters, row: Float64Array): Float64Array {
  return activations(network, parameters, row)[network.codeLayer - 1]!
}

export function squaredDistances(code: Float64Array, centres: Float64Array): number[] {
  const c = code.length
  return Array.from({ length: centres.length / c }, (_, j) =>
    code.reduce((sum, z, f) => sum + (z - centres[j * c + f]!) ** 2, 0),
  )
}

/** Student-t with one degree of freedom. */
export function softAssignment(code: Float64Array, centres: Float64Array): number[] {
  const kernel = squaredDistances(code, centres).map((s) => 1 / (1 + s))
  const sum = kernel.reduce((a, b) => a + b, 0)
  return kernel.map((v) => v / sum)
}

export interface Losses {
  squaredError: number
  divergence: number
}

/** Sums over rows (and features) of the squared error and of KL(p‖q). */
export function losses(
  network: Network,
  parameters: Parameters,
  rows: readonly Float64Array[],
  target: ArrayLike<number> | null,
): Losses {
  let squaredError = 0
  let divergence = 0
  const k = parameters.centres.length / network.widths[network.codeLayer]!
  rows.forEach((row, i) => {
    const outputs = activations(network, parameters, row)
    outputs.at(-1)!.forEach((y, f) => {
      squaredError += (y - row[f]!) ** 2
    })
    if (target === null) return
    softAssignment(outputs[network.codeLayer - 1]!, parameters.centres).forEach((q, j) => {
      const p = target[i * k + j]!
      if (p > 0) divergence += p * Math.log(p / q)
    })
  })
  return { squaredError, divergence }
}

/** What one training step descends: mean((y − x)²) + γ·mean over rows of KL(p‖q), p held fixed. */
export function objective(
  network: Network,
  parameters: Parameters,
  rows: readonly Float64Array[],
  clustering: { gamma: number; target: ArrayLike<number> } | null,
): number {
  const d = network.widths[0]!
  const { squaredError, divergence } = losses(network, parameters, rows, clustering?.target ?? null)
  return squaredError / (rows.length * d) + ((clustering?.gamma ?? 0) * divergence) / rows.length
}

/** Small enough for the truncation, large enough for the rounding: both stay near 1e-10. */
const DIFFERENCE = 1e-6

/** Central finite differences of the objective, in the shape of the parameters. */
export function numericGradient(
  network: Network,
  parameters: Parameters,
  rows: readonly Float64Array[],
  clustering: { gamma: number; target: ArrayLike<number> } | null,
): Parameters {
  const slope = (data: Float64Array): Float64Array =>
    data.map((kept, i) => {
      data[i] = kept + DIFFERENCE
      const above = objective(network, parameters, rows, clustering)
      data[i] = kept - DIFFERENCE
      const below = objective(network, parameters, rows, clustering)
      data[i] = kept
      return (above - below) / (2 * DIFFERENCE)
    })
  return {
    weights: parameters.weights.map(slope),
    biases: parameters.biases.map(slope),
    centres: slope(parameters.centres),
  }
}
