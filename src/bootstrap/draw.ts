/** Which windows of a store stand for all of a part, where looking at all of them would not pay. */
import { PART, type Part, type WindowStore } from '../windows/store.ts'
import { calibrationPart, type Selection } from './select.ts'

/** Nodes that have calibration windows, evenly drawn so that they have about `most` of them together; at least one. */
export function drawNodes(store: WindowStore, selection: Selection, most: number): Set<number> {
  const nodes = new Set<number>()
  for (const { part, node } of assigned(store)) {
    if (part === PART[calibrationPart(selection)]) nodes.add(node)
  }
  const stride = Math.max(1, Math.ceil(selection.calibration / most))
  return new Set([...nodes].sort((a, b) => a - b).filter((_, i) => i % stride === 0))
}

/** Windows looked at together. */
const READ_ROWS = 65_536

/** Part and node of every window. */
function* assigned(store: WindowStore): Generator<{ index: number; part: number; node: number }> {
  for (const { first, rows } of store.spans(READ_ROWS)) {
    const parts = store.read('part', first, rows)
    const nodes = store.read('node', first, rows)
    for (let i = 0; i < rows; i++) yield { index: first + i, part: parts[i]!, node: nodes[i]! } // i < rows
  }
}

/** The windows of a part that `isDrawn` by their position in it and their node. */
export function indicesOf(
  store: WindowStore,
  of: Part,
  isDrawn: (position: number, node: number) => boolean,
): { index: number; node: number }[] {
  const found: { index: number; node: number }[] = []
  let position = 0
  for (const { index, part, node } of assigned(store)) {
    if (part === PART[of] && isDrawn(position++, node)) found.push({ index, node })
  }
  return found
}
