import type { Bundle } from '../model/bundle.ts'
import type { Scorer, Scores } from '../model/scorer.ts'
import type { WindowBlock } from '../windows/block.ts'

/** Scores the given rows of a block. `scalerRow`: by node of the block's owner, as `scalerRows` gives it. */
export function scoreBlock(
  scorer: Scorer,
  block: WindowBlock,
  rows: readonly number[],
  scalerRow: Int32Array,
): Promise<Scores> {
  const d = block.values.length / block.rows
  const values = new Float64Array(rows.length * d)
  const nodes = new Int32Array(rows.length)
  rows.forEach((row, i) => {
    values.set(block.values.subarray(row * d, (row + 1) * d), i * d)
    nodes[i] = scalerRow[block.node[row]!]! // blocks index their owner's nodes
  })
  return scorer.score(values, nodes, rows.length)
}

/** By node, the row of the scaler; 0 for nodes that the model does not know. */
export function scalerRows(bundle: Bundle, nodes: readonly string[]): Int32Array {
  const known = new Map(bundle.manifest.scaler.nodes.map((node, i) => [node, i + 1]))
  return Int32Array.from(nodes, (node) => known.get(node) ?? 0)
}
