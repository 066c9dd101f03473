import { scaledBlocks } from '../model/scaled-rows.ts'
import type { Scaler } from '../model/scaler.ts'
import type { WindowStore } from '../windows/store.ts'
import { drawNodes, indicesOf } from './draw.ts'
import { calibrationPart, type Selection } from './select.ts'

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
  const stride = Math.max(1, Math.ceil(selection.train / MOST_ROWS))
  const train = byNode(indicesOf(store, 'train', (position) => position % stride === 0))
  const nodes = drawNodes(store, selection, MOST_ROWS)
  const taken = new Map<number, number>()
  // Of a node alone in having more windows than are kept, the first ones are.
  const isDrawn = (_: number, node: number): boolean => {
    const before = taken.get(node) ?? 0
    taken.set(node, before + 1)
    return nodes.has(node) && before < MOST_ROWS
  }
  const calibration = byNode(indicesOf(store, calibrationPart(selection), isDrawn)).slice(0, MOST_ROWS)
  const drawn = store.pick([...train, ...calibration])
  const rows = new Float32Array(drawn.rows * store.features)
  for await (const { first, x } of scaledBlocks([drawn], scaler)) rows.set(x, first * store.features)
  return {
    rows,
    train: train.length,
    trainNodes: runs(drawn.node.subarray(0, train.length)),
    calibration: runs(drawn.node.subarray(train.length)),
  }
}

/** Indices ordered by node; the sort is stable, so that the windows of a node stay in the order of time. */
function byNode(windows: { index: number; node: number }[]): number[] {
  return windows.sort((a, b) => a.node - b.node).map(({ index }) => index)
}

/** [node, windows] of rows that are ordered by node. */
function runs(nodes: Int32Array): [number, number][] {
  const result: [number, number][] = []
  for (const node of nodes) {
    const last = result.at(-1)
    if (last?.[0] === node) last[1]++
    else result.push([node, 1])
  }
  return result
}
