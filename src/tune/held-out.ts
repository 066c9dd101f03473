/** What a criterion looks at: windows after those that train. */

import { drawNodes } from '../bootstrap/draw.ts'
import type { Prepared } from '../bootstrap/prepare.ts'
import { calibrationPart } from '../bootstrap/select.ts'
import { SCORE_ROWS } from '../model/scorer.ts'
import type { PartBlock } from '../windows/store.ts'

type Source = Pick<Prepared, 'store' | 'selection'>

/** Windows that synthetic faults are put into at most: 7 MB at d = 460, and enough to tell trials apart. */
const MOST_WINDOWS = 2000

/**
 * Held-out normal windows in raw units, at most MOST_WINDOWS: of nodes evenly drawn, whole, so that a node has other times to be
 * confused with. The training windows where nothing is held out.
 */
export async function drawHeldOut({ store, selection }: Source): Promise<PartBlock> {
  const part = calibrationPart(selection)
  const nodes = drawNodes(store, selection, MOST_WINDOWS)
  const blocks: PartBlock[] = []
  let left = MOST_WINDOWS
  for await (const block of store.windows(part, SCORE_ROWS, nodes)) {
    const rows = Math.min(left, block.rows)
    left -= rows
    blocks.push({
      first: block.first,
      rows,
      node: block.node.slice(0, rows),
      start: block.start.slice(0, rows),
      label: block.label.slice(0, rows),
      values: block.values.slice(0, rows * store.features),
    })
    if (left === 0) break
  }
  return joined(blocks, store.features)
}

function joined(blocks: readonly PartBlock[], d: number): PartBlock {
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0)
  const whole: PartBlock = {
    first: 0,
    rows,
    node: new Int32Array(rows),
    start: new Float64Array(rows),
    label: new Int8Array(rows),
    values: new Float64Array(rows * d),
  }
  let at = 0
  for (const block of blocks) {
    whole.node.set(block.node, at)
    whole.start.set(block.start, at)
    whole.label.set(block.label, at)
    whole.values.set(block.values, at * d)
    at += block.rows
  }
  return whole
}

/** Fewer anomalous windows rank trials by chance. */
export const LEAST_ANOMALOUS = 10

/** How many held-out windows are labelled anomalous, and how many normal. */
export function countLabels(source: Source): { anomalous: number; normal: number } {
  const counts = { anomalous: 0, normal: 0 }
  for (const { label } of labelledSpans(source)) {
    for (const value of label) {
      if (value === 1) counts.anomalous++
      else counts.normal++
    }
  }
  return counts
}

/** Held-out windows with a known label in order of time, also the anomalous ones, which calibration leaves out. */
export async function* labelledHeldOut(source: Source): AsyncGenerator<PartBlock> {
  let first = 0
  for (const { rows, label } of labelledSpans(source)) {
    const block = source.store.pick(rows)
    yield { ...block, first, label: Int8Array.from(label) }
    first += block.rows
  }
}

function* labelledSpans({ store, selection }: Source): Generator<{ rows: number[]; label: number[] }> {
  // Without a holdout the training windows are all there is.
  const from = selection.inSample ? selection.fromMs : selection.toMs + 1
  for (const { first, rows } of store.spans(SCORE_ROWS)) {
    const start = store.read('start', first, rows)
    const known = store.read('label', first, rows)
    const members: number[] = []
    const label: number[] = []
    for (let i = 0; i < rows; i++) {
      // i < rows, and both columns hold as many.
      if (start[i]! < from || known[i]! < 0) continue
      members.push(first + i)
      label.push(known[i]!)
    }
    if (members.length > 0) yield { rows: members, label }
  }
}
