/**
 * The scoring graph: raw features of a window in, everything the detector needs out. It is the model that a bundle
 * ships; training computes its calibration with the same graph, so that training and serving can not drift apart.
 */
import { assignment, codeSize, forward } from './graphs.ts'
import type { Layer, Network } from './network.ts'
import { OnnxGraph } from './onnx.ts'
import { addScaling, CLIP, type Scaler } from './scaler.ts'

/**
 * The two kinds of evidence for strangeness, in the order of the output `evidence`:
 * `residual`: log of the mean of the largest standardised squared residuals of the reconstruction;
 * `distance`: log of the mean standardised squared distance to the nearest operating mode's profile.
 */
export const EVIDENCE = ['residual', 'distance'] as const

/** The residual evidence is the mean of so many largest: a fault shows in few of hundreds of features. */
export const LARGEST_RESIDUALS = 5

/**
 * Floors of the variances by which residuals and distances are standardised, in squared scaled units: 0.1 % and 1 %
 * of a feature's range. Below them a constant feature would turn rounding into evidence.
 */
export const RESIDUAL_FLOOR = 1e-6
export const DISTANCE_FLOOR = 1e-4

/** Keeps logarithms finite for a window that equals its expectation. */
const LOG_FLOOR = 1e-9

/** What the detector knows of the training windows beyond the network. */
export interface Profiles {
  /** k × d, mean scaled features of the windows of each mode. */
  mean: Float32Array
  /** d, variance of the scaled features around their mode's profile; Infinity keeps a feature from weighing. */
  variance: Float32Array
  /** d, mean squared residual of the reconstruction; Infinity as above. */
  residual: Float32Array
}

/**
 * Inputs: `features` [n, d] double, raw, NaN where missing; `node` [n] int64, a row of the scaler (0: unknown node).
 * Outputs: `code` [n, c], `q` [n, k] soft assignment, `distance` [n, k] to the centres in the code, `scaled` [n, d],
 * `squared_residual` [n, d] (0 where missing), `expected` [n, d] double in raw units, `clipped` [n] features cut to
 * the scaler's span, and with profiles `evidence` [n, 2] and `contribution` [n, d], each feature's share of it.
 */
export function scoringGraph(
  network: Network,
  layers: readonly Layer[],
  centres: Float32Array,
  scaler: Scaler,
  profiles: Profiles | null,
): Uint8Array {
  const g = new OnnxGraph('examon-dec-scoring')
  const d = scaler.features
  const c = codeSize(network)
  const k = centres.length / c
  const { scaled, missing } = addScaling(g, scaler)
  layers.forEach((layer, l) => {
    g.initializer(`weight${l}`, layer.weight, [layer.inputs, layer.outputs])
    g.initializer(`bias${l}`, layer.bias, [layer.outputs])
  })
  const hidden = forward(g, network, scaled)
  const code = hidden[network.codeLayer]! // a layer of the network
  const reconstruction = hidden[hidden.length - 1]! // the output layer
  const { q, squaredDistance } = assignment(g, code, g.initializer('centres', centres, [k, c]))
  const error = g.node('Sub', [reconstruction, scaled])
  const squared = g.node('Where', [missing, g.scalar(0), g.node('Mul', [error, error])])

  const publish = (
    name: string,
    value: string,
    type: 'float' | 'double',
    shape: (string | number)[],
  ): void => {
    g.node('Identity', [value], {}, name)
    g.output(name, type, shape)
  }
  publish('code', code, 'float', ['n', c])
  publish('q', q, 'float', ['n', k])
  publish('distance', g.node('Sqrt', [squaredDistance]), 'float', ['n', k])
  publish('scaled', scaled, 'float', ['n', d])
  publish('squared_residual', squared, 'float', ['n', d])
  publish('expected', addUnscaling(g, scaler, reconstruction), 'double', ['n', d])
  publish('clipped', countClipped(g, scaled), 'float', ['n'])
  if (profiles !== null) {
    const { evidence, contribution } = addEvidence(g, profiles, { scaled, missing, squared, d, k })
    publish('evidence', evidence, 'float', ['n', EVIDENCE.length])
    publish('contribution', contribution, 'float', ['n', d])
  }
  return g.build()
}

/** Scaled reconstruction back to raw units, in double precision. */
function addUnscaling(g: OnnxGraph, scaler: Scaler, reconstruction: string): string {
  const d = scaler.features
  const wide = g.node('Cast', [reconstruction], { to: { int: 11 } })
  const ofNode = (name: string): string => g.node('Gather', [name, 'node'])
  const value = g.node('Add', [g.node('Mul', [wide, ofNode('range')]), ofNode('lo')])
  if (!scaler.transforms.includes('log1p')) return value
  const mask = g.node('Greater', ['log_features', g.scalar(0.5, 'double')])
  const linear = g.node('Sub', [g.node('Exp', [value]), g.scalar(1, 'double')])
  const positive = g.node('Max', [linear, g.node('Expand', [g.scalar(0, 'double'), g.axes(d)])])
  return g.node('Where', [mask, positive, value])
}

/** Features at either end of the scaler's span, a row. */
function countClipped(g: OnnxGraph, scaled: string): string {
  const low = g.node('LessOrEqual', [scaled, g.scalar(CLIP.low)])
  const high = g.node('GreaterOrEqual', [scaled, g.scalar(CLIP.high)])
  const either = g.node('Cast', [g.node('Or', [low, high])], { to: { int: 1 } })
  return g.node('ReduceSum', [either, g.axes(1)], { keepdims: { int: 0 } })
}

function addEvidence(
  g: OnnxGraph,
  profiles: Profiles,
  window: { scaled: string; missing: string; squared: string; d: number; k: number },
): { evidence: string; contribution: string } {
  const { d, k } = window
  const inverse = (values: Float32Array, floor: number): Float32Array => values.map((v) => 1 / (v + floor))
  // In double precision: in single, the last bit of a short sum or a logarithm differs with the row's place in memory.
  const widen = (value: string): string => g.node('Cast', [value], { to: { int: 11 } })
  const logOf = (wide: string): string => {
    const log = g.node('Log', [g.node('Add', [wide, g.scalar(LOG_FLOOR, 'double')])])
    return g.node('Cast', [log], { to: { int: 1 } })
  }
  const rowSum = (value: string): string => g.node('ReduceSum', [value, g.axes(1)], { keepdims: { int: 1 } })

  // Residual: the mean of the largest standardised squares.
  const weights = g.initializer('residual_weight', inverse(profiles.residual, RESIDUAL_FLOOR), [d])
  const standardised = g.node('Mul', [window.squared, weights])
  const largest = g.node('TopK', [standardised, g.axes(Math.min(LARGEST_RESIDUALS, d))])
  const residual = g.node('ReduceMean', [widen(largest), g.axes(1)], { keepdims: { int: 1 } })

  // Distance: to each profile over the features that are present, [n, k, d]; the nearest profile counts.
  const profile = g.initializer('profile', profiles.mean, [1, k, d])
  const spread = g.initializer('distance_weight', inverse(profiles.variance, DISTANCE_FLOOR), [d])
  const difference = g.node('Sub', [g.node('Unsqueeze', [window.scaled, g.axes(1)]), profile])
  const present = g.node('Where', [window.missing, g.scalar(0), g.scalar(1)])
  const share = g.node('Mul', [g.node('Unsqueeze', [present, g.axes(1)]), spread])
  const terms = g.node('Mul', [g.node('Mul', [difference, difference]), share])
  const sums = g.node('ReduceSum', [terms, g.axes(2)], { keepdims: { int: 0 } })
  const nearest = g.node('ReduceMin', [sums, g.axes(1)], { keepdims: { int: 1 } })
  // An all-missing window is never scored; Max only keeps its quotient a number.
  const distance = g.node('Div', [nearest, g.node('Max', [rowSum(present), g.scalar(1)])])

  const isNearest = g.node('Cast', [g.node('LessOrEqual', [sums, nearest])], { to: { int: 1 } })
  const picked = g.node('Mul', [terms, g.node('Unsqueeze', [isNearest, g.axes(2)])])
  const ofNearest = g.node('ReduceSum', [picked, g.axes(1)], { keepdims: { int: 0 } })
  const shareOf = (value: string): string =>
    g.node('Div', [value, g.node('Add', [rowSum(value), g.scalar(LOG_FLOOR)])])
  const both = g.node('Add', [shareOf(standardised), shareOf(ofNearest)])
  return {
    evidence: g.node('Concat', [logOf(residual), logOf(widen(distance))], { axis: { int: 1 } }),
    contribution: g.node('Mul', [both, g.scalar(0.5)]),
  }
}
