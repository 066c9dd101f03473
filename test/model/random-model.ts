import { createNetwork, type Network } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import type { Scaler } from '../../src/model/scaler.ts'
import { type Profiles, scoringGraph } from '../../src/model/scoring.ts'
import { type Parameters, toParameters } from './formulas.ts'
import { randomLayers } from './support.ts'

export interface Model {
  network: Network
  parameters: Parameters
  scaler: Scaler
  profiles: Profiles
  k: number
  graph: Uint8Array
}

/** A model with random parameters, two nodes and log features; row 0 of the scaler is for unknown nodes. */
export function randomModel(d: number, hidden: number[], code: number, k: number, seed: number): Model {
  const random = createRandom(seed)
  const network = createNetwork(d, hidden, code)
  const layers = randomLayers(network, random)
  const centres = Float32Array.from({ length: k * code }, () => 0.5 * random.normal())
  const size = 3 * d
  const scaler: Scaler = {
    nodes: ['a', 'b'],
    features: d,
    transforms: Array.from({ length: d }, (_, f) => (f % 4 === 1 ? 'log1p' : 'none')),
    lo: Float64Array.from({ length: size }, () => 0.3 * random.normal()),
    range: Float64Array.from({ length: size }, () => 0.5 + random.uniform()),
    mean: Float32Array.from({ length: size }, () => random.uniform()),
  }
  const profiles: Profiles = {
    mean: Float32Array.from({ length: k * d }, () => random.uniform()),
    variance: Float32Array.from({ length: d }, () => 0.1 * random.uniform()),
    residual: Float32Array.from({ length: d }, () => 0.1 * random.uniform()),
  }
  const graph = scoringGraph(network, layers, centres, scaler, profiles)
  return { network, parameters: toParameters(layers, centres), scaler, profiles, k, graph }
}

/** n windows, some values missing and some far out, of nodes 0 … 2. */
export function randomWindows(
  d: number,
  n: number,
  seed: number,
): { values: Float64Array; node: Int32Array } {
  const random = createRandom(seed)
  return {
    values: Float64Array.from({ length: n * d }, () => {
      const kind = random.uniform()
      if (kind < 0.08) return Number.NaN
      return kind < 0.12 ? 40 * random.normal() : random.uniform()
    }),
    node: Int32Array.from({ length: n }, (_, i) => i % 3),
  }
}
