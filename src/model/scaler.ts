import { hasLog, type Transform } from '../windows/schema.ts'
import type { PartBlock } from '../windows/store.ts'
import type { OnnxGraph } from './onnx.ts'

/**
 * Min-max parameters for every known node and, in row 0, for a node that training has not seen. Matrices are
 * (nodes + 1) × d, row-major; `lo` and `range` are in units after the transform, `mean` is already scaled.
 */
export interface Scaler {
  nodes: string[]
  features: number
  transforms: Transform[]
  lo: Float64Array
  range: Float64Array
  /** What a missing feature is imputed with. */
  mean: Float32Array
}

/**
 * Scaled values are cut to this span: training data lies in [0, 1]; a value five ranges away is as strange as one a
 * thousand ranges away, and must not drown all other features.
 */
export const CLIP = { low: -4, high: 5 } as const

/** A node needs a day of 15-minute windows before its own range says more than the fleet's. */
export const MIN_NODE_WINDOWS = 96

/**
 * No node's range counts as less than this share of the median node's: what one node has happened not to do in
 * training (its first GPU job) is not strange if its peers do it all the time.
 */
const RANGE_FLOOR_PEERS = 0.25

/**
 * Nor as less than this share of the values' magnitude: a constant that moves by a thousandth (memory size, core
 * count) has changed, one that moves in its sixteenth digit has not.
 */
const RANGE_FLOOR_MAGNITUDE = 1e-3

export interface ScalerOptions {
  /** True: one range over all nodes and rows, zero ranges become 1, as scikit-learn's MinMaxScaler in the report. */
  plain: boolean
}

/** Fits on windows of the given nodes, in one pass over them. Memory grows with nodes × d, not with windows. */
export async function fitScaler(
  windows: AsyncIterable<Pick<PartBlock, 'rows' | 'node' | 'values'>>,
  nodes: string[],
  transforms: Transform[],
  options: ScalerOptions,
  signal?: AbortSignal,
): Promise<Scaler> {
  const d = transforms.length
  const size = nodes.length * d
  const extent: Extent = {
    min: new Float64Array(size).fill(Infinity),
    max: new Float64Array(size).fill(-Infinity),
    sum: new Float64Array(size),
    count: new Float64Array(size),
    windows: new Uint32Array(nodes.length),
  }
  const logs = Uint8Array.from(transforms, (t) => (t === 'log1p' ? 1 : 0))
  for await (const { rows, node, values } of windows) {
    signal?.throwIfAborted()
    for (let i = 0; i < rows; i++) {
      const of = node[i]! // i < rows
      extent.windows[of]!++
      addWindow(extent, of * d, values, i * d, logs)
    }
  }
  return assemble(nodes, transforms, d, extent, options)
}

/** Takes in the window at `from` of `values`, for the node whose entries begin at `into`. */
function addWindow(extent: Extent, into: number, values: Float64Array, from: number, logs: Uint8Array): void {
  const { min, max, sum, count } = extent
  for (let f = 0; f < logs.length; f++) {
    const raw = values[from + f]! // one value a feature
    if (Number.isNaN(raw)) continue
    const value = logs[f] === 1 ? Math.log(Math.max(raw, 0) + 1) : raw
    const at = into + f
    if (value < min[at]!) min[at] = value
    if (value > max[at]!) max[at] = value
    sum[at]! += value
    count[at]!++
  }
}

interface Extent {
  min: Float64Array
  max: Float64Array
  sum: Float64Array
  count: Float64Array
  windows: Uint32Array
}

function assemble(
  nodes: string[],
  transforms: Transform[],
  d: number,
  extent: Extent,
  options: ScalerOptions,
): Scaler {
  const lo = new Float64Array((nodes.length + 1) * d)
  const range = new Float64Array(lo.length).fill(1)
  const mean = new Float32Array(lo.length)
  const own = nodes.map((_, node) => !options.plain && extent.windows[node]! >= MIN_NODE_WINDOWS)
  const spans: number[] = []
  for (let f = 0; f < d; f++) {
    let low = Infinity
    let high = -Infinity
    let sum = 0
    let count = 0
    spans.length = 0
    for (let node = 0; node < nodes.length; node++) {
      const at = node * d + f
      if (extent.count[at] === 0) continue
      low = Math.min(low, extent.min[at]!)
      high = Math.max(high, extent.max[at]!)
      sum += extent.sum[at]!
      count += extent.count[at]!
      if (own[node]) spans.push(extent.max[at]! - extent.min[at]!)
    }
    if (count === 0) continue // no row has the feature; lo 0, range 1, mean 0
    const peers = RANGE_FLOOR_PEERS * median(spans)
    const set = (row: number, from: number, to: number, average: number): void => {
      const at = row * d + f
      const floor = Math.max(peers, RANGE_FLOOR_MAGNITUDE * Math.max(Math.abs(from), Math.abs(to)))
      const span = options.plain ? to - from : Math.max(to - from, floor)
      lo[at] = from
      range[at] = span > 0 ? span : 1
      mean[at] = (average - from) / range[at]!
    }
    set(0, low, high, sum / count)
    for (let node = 0; node < nodes.length; node++) {
      const at = node * d + f
      if (own[node] && extent.count[at]! > 0) {
        set(node + 1, extent.min[at]!, extent.max[at]!, extent.sum[at]! / extent.count[at]!)
      } else {
        set(node + 1, low, high, sum / count)
      }
    }
  }
  return { nodes, features: d, transforms, lo, range, mean }
}

function median(values: number[]): number {
  if (values.length === 0) return 0
  return values.toSorted((a, b) => a - b)[values.length >> 1]! // not empty
}

/**
 * Adds the scaling to a graph: `features` [n, d] double with NaN where missing, and `node` [n] int64, a row of the
 * scaler (0 for an unknown node). Returns `scaled` [n, d] float and `missing` [n, d] bool. The only place where
 * scaling is computed: training and serving both run these nodes.
 */
export function addScaling(g: OnnxGraph, scaler: Scaler): { scaled: string; missing: string } {
  const d = scaler.features
  const shape = [scaler.nodes.length + 1, d]
  const features = g.input('features', 'double', ['n', d])
  const node = g.input('node', 'int64', ['n'])
  const ofNode = (name: string, data: Float64Array | Float32Array): string =>
    g.node('Gather', [g.initializer(name, data, shape), node])
  let value = features
  if (hasLog(scaler.transforms)) {
    const isLog = Float64Array.from(scaler.transforms, (t) => (t === 'log1p' ? 1 : 0))
    const mask = g.node('Greater', [g.initializer('log_features', isLog, [d]), g.scalar(0.5, 'double')])
    const positive = g.node('Max', [features, g.scalar(0, 'double')])
    const log = g.node('Log', [g.node('Add', [positive, g.scalar(1, 'double')])])
    value = g.node('Where', [mask, log, features])
  }
  const shifted = g.node('Sub', [value, ofNode('lo', scaler.lo)])
  const scaled = g.node('Div', [shifted, ofNode('range', scaler.range)])
  const clipped = g.node('Clip', [scaled, g.scalar(CLIP.low, 'double'), g.scalar(CLIP.high, 'double')])
  const missing = g.node('IsNaN', [features])
  const narrow = g.node('Cast', [clipped], { to: { int: 1 } })
  return { scaled: g.node('Where', [missing, ofNode('mean', scaler.mean), narrow]), missing }
}
