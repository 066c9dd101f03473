import type { WindowBlock } from '../windows/block.ts'

/** One detector's scores of all windows, NaN where not scored. 1.0 is its threshold. */
export interface Column {
  name: string
  score: Float64Array
}

/**
 * All windows of an evaluation in the order of (start, node), with the scores of each detector: 8 bytes a window and
 * detector, and 17 more a window. Only the first `rows` entries of each array count.
 */
export class EvaluatedWindows {
  rows = 0
  /** Index into the history's nodes. */
  node = new Int32Array(0)
  /** Ms since the epoch. */
  start = new Float64Array(0)
  /** 1 anomalous, 0 normal, -1 not known. */
  label = new Int8Array(0)
  /** Operating mode; -1 where not scored. */
  mode = new Int32Array(0)
  readonly columns: Column[]

  constructor(names: readonly string[]) {
    this.columns = names.map((name) => ({ name, score: new Float64Array(0) }))
  }

  /** Takes in a block, not scored yet; returns the index of its first window. */
  append(block: WindowBlock): number {
    const first = this.rows
    const end = first + block.rows
    if (end > this.node.length) this.resize(Math.max(end, 2 * this.node.length, 4096))
    this.node.set(block.node.subarray(0, block.rows), first)
    this.start.set(block.start.subarray(0, block.rows), first)
    this.label.set(block.label.subarray(0, block.rows), first)
    this.rows = end
    return first
  }

  /** Cuts the arrays to the windows that came. */
  finish(): void {
    this.resize(this.rows)
  }

  private resize(size: number): void {
    this.node = fitted(this.node, new Int32Array(size))
    this.start = fitted(this.start, new Float64Array(size))
    this.label = fitted(this.label, new Int8Array(size))
    this.mode = fitted(this.mode, new Int32Array(size).fill(-1))
    for (const column of this.columns) {
      column.score = fitted(column.score, new Float64Array(size).fill(Number.NaN))
    }
  }
}

interface Values<T> {
  readonly length: number
  set(values: T): void
  subarray(from: number, to: number): T
}

function fitted<T extends Values<T>>(from: T, to: T): T {
  to.set(from.subarray(0, to.length))
  return to
}
