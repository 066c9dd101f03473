import { scaledBlocks } from '../model/rows.ts'
import type { Scaler } from '../model/scaler.ts'
import type { WindowStore } from '../windows/store.ts'
import type { Selection } from './select.ts'

/** Windows of each kind at most: 2 × 3.8 MB at d = 460. */
const MOST_ROWS = 2048

export interface Reference {
  /** Scaled windows, rows × d: training windows, then calibration windows, each ordered by node. */
  rows: Float32Array
  /** Number of the training windows. */
  train: number
  /** [node, windows] of the training and of the calibration windows. */
  trainNodes: [number, number][]
  calibration: [number, number][]
}

/** The windows that a bundle keeps: training windows, and whole runs of calibration windows of nodes, both drawn evenly. */
export async function drawReference(
  store: WindowStore,
  scaler: Scaler,
  selection: Selection,
): Promise<Reference> {
  const stride = Math.max(1, Math.ceil(selection.train.length / MOST_ROWS))
  const train = [...selection.train]
    .filter((_, i) => i % stride === 0)
    .sort((a, b) => store.node[a]! - store.node[b]!) // stable
  const nodes = [...new Set(selection.calibration.map((row) => store.node[row]!))].sort((a, b) => a - b)
  const nodeStride = Math.max(1, Math.ceil(selection.calibration.length / MOST_ROWS))
  const drawnNodes = new Set(nodes.filter((_, i) => i % nodeStride === 0))
  const byNode = [...selection.calibration]
    .filter((row) => drawnNodes.has(store.node[row]!))
    // Stable, so that the windows of a node stay in the order of time.
    .sort((a, b) => store.node[a]! - store.node[b]!)
    .slice(0, MOST_ROWS)
  const drawn = Int32Array.of(...train, ...byNode)
  const rows = new Float32Array(drawn.length * store.features)
  for await (const { first, x } of scaledBlocks(store, scaler, drawn)) rows.set(x, first * store.features)
  return { rows, train: train.length, trainNodes: runs(store, train), calibration: runs(store, byNode) }
}

/** [node, windows] of rows that are ordered by node. */
function runs(store: WindowStore, rows: readonly number[]): [number, number][] {
  const result: [number, number][] = []
  for (const row of rows) {
    const node = store.node[row]! // rows index the store
    const last = result.at(-1)
    if (last?.[0] === node) last[1]++
    else result.push([node, 1])
  }
  return result
}
