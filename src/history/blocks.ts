import type { WindowBlock } from '../windows/block.ts'

/** Largest count that a block can hold. */
const MAX_COUNT = 0xffff

/** Gathers windows into blocks of a fixed number of rows. */
export class BlockBuilder {
  private readonly rows: number
  private readonly features: number
  private readonly metrics: number
  private block: WindowBlock

  constructor(rows: number, features: number, metrics: number) {
    this.rows = rows
    this.features = features
    this.metrics = metrics
    this.block = emptyBlock(rows, features, metrics)
  }

  /** Adds a window and returns the block when it is full. */
  push(
    node: number,
    start: number,
    label: number,
    values: ArrayLike<number>,
    counts: ArrayLike<number>,
  ): WindowBlock | null {
    const { block } = this
    const row = block.rows++
    block.node[row] = node
    block.start[row] = start
    block.label[row] = label
    block.values.set(values, row * this.features)
    for (let m = 0; m < this.metrics; m++) {
      block.counts[row * this.metrics + m] = Math.min(MAX_COUNT, counts[m] ?? 0)
    }
    if (block.rows < this.rows) return null
    this.block = emptyBlock(this.rows, this.features, this.metrics)
    return block
  }

  /** The last block, shorter than the others; null when nothing is left. */
  rest(): WindowBlock | null {
    const { block, features, metrics } = this
    const { rows } = block
    if (rows === 0) return null
    return {
      rows,
      node: block.node.slice(0, rows),
      start: block.start.slice(0, rows),
      values: block.values.slice(0, rows * features),
      counts: block.counts.slice(0, rows * metrics),
      label: block.label.slice(0, rows),
    }
  }
}

function emptyBlock(rows: number, features: number, metrics: number): WindowBlock {
  return {
    rows: 0,
    node: new Int32Array(rows),
    start: new Float64Array(rows),
    values: new Float64Array(rows * features),
    counts: new Uint16Array(rows * metrics),
    label: new Int8Array(rows),
  }
}
