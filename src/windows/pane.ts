/** When a node said that it had booted, s since the epoch, and when it said so, ms. */
export interface BootReading {
  seconds: number
  timeMs: number
}

/**
 * A pane: the running statistics of every metric of every node over one stretch of time. Windows are made of whole
 * panes, so that overlapping windows cost no more a sample than tumbling ones.
 */
export interface Pane {
  startMs: number
  /** Nodes for which there is room; arrays hold nodes × metrics entries. */
  nodes: number
  count: Uint32Array
  mean: Float64Array
  /** Sum of squared differences from the mean. */
  m2: Float64Array
  min: Float64Array
  max: Float64Array
  /** By node: 1 when it booted within the pane. */
  rebooted: Uint8Array
  /** By node, the newest reading of its boot time within the pane. */
  boots: Map<number, BootReading>
  /** Whether it holds a sample; one without any merely knows of boots. */
  isFilled: boolean
  /** Lowest offset of each partition that fed the pane. */
  offsets: Map<number, number>
}

export function createPane(startMs: number, nodes: number, metrics: number): Pane {
  const size = nodes * metrics
  return {
    startMs,
    nodes,
    count: new Uint32Array(size),
    mean: new Float64Array(size),
    m2: new Float64Array(size),
    min: new Float64Array(size),
    max: new Float64Array(size),
    rebooted: new Uint8Array(nodes),
    boots: new Map(),
    isFilled: false,
    offsets: new Map(),
  }
}

/** The same pane with room for `nodes` nodes. */
export function growPane(pane: Pane, nodes: number, metrics: number): Pane {
  const grown = createPane(pane.startMs, nodes, metrics)
  grown.count.set(pane.count)
  grown.mean.set(pane.mean)
  grown.m2.set(pane.m2)
  grown.min.set(pane.min)
  grown.max.set(pane.max)
  grown.rebooted.set(pane.rebooted)
  grown.boots = pane.boots
  grown.isFilled = pane.isFilled
  grown.offsets = pane.offsets
  return grown
}

/** Takes in one value at `at` = node × metrics + metric, by Welford's update (1962). */
export function addValue(pane: Pane, at: number, value: number): void {
  // `at` lies within the arrays: the caller grows the pane to its nodes first.
  const count = pane.count[at]! + 1
  pane.count[at] = count
  if (count === 1) {
    pane.mean[at] = value
    pane.min[at] = value
    pane.max[at] = value
    return
  }
  const delta = value - pane.mean[at]!
  const mean = pane.mean[at]! + delta / count
  pane.mean[at] = mean
  pane.m2[at]! += delta * (value - mean)
  if (value < pane.min[at]!) pane.min[at] = value
  if (value > pane.max[at]!) pane.max[at] = value
}

/** Statistics of one metric of one node over several panes. */
export interface Merged {
  count: number
  mean: number
  m2: number
  min: number
  max: number
}

/** Merges the panes at `at` (Chan, Golub & LeVeque 1979, pairwise); panes with too little room hold nothing. */
export function mergePanes(panes: readonly Pane[], at: number): Merged {
  const out: Merged = { count: 0, mean: 0, m2: 0, min: Infinity, max: -Infinity }
  for (const pane of panes) {
    const count = pane.count[at] ?? 0
    if (count === 0) continue
    const total = out.count + count
    const delta = pane.mean[at]! - out.mean // count > 0, so the entry exists
    out.mean = out.count === 0 ? pane.mean[at]! : out.mean + (delta * count) / total
    out.m2 += pane.m2[at]! + (out.count === 0 ? 0 : (delta * delta * out.count * count) / total)
    out.min = Math.min(out.min, pane.min[at]!)
    out.max = Math.max(out.max, pane.max[at]!)
    out.count = total
  }
  return out
}
