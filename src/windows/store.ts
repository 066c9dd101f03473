import { closeSync, fsyncSync, mkdirSync, openSync, read, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { loadAhead } from './ahead.ts'
import type { WindowBlock } from './block.ts'

/** What a window serves for. One that is left out serves for nothing. */
export const PART = { leftOut: 0, train: 1, calibration: 2 } as const
export type Part = Exclude<keyof typeof PART, 'leftOut'>

/** Windows of one part, as they are read: all arrays hold `rows` entries and are valid until the next step. */
export interface PartBlock {
  /** Position of the first window among those of the part. */
  first: number
  rows: number
  node: Int32Array
  start: Float64Array
  label: Int8Array
  /** rows × d raw feature values, NaN where missing. */
  values: Float64Array
}

/** One file a column; `part` is written by the selection. */
const FILES = {
  node: 'node.i32',
  start: 'start.f64',
  label: 'label.i8',
  part: 'part.u8',
  counts: 'counts.u16',
  values: 'values.f64',
} as const

const ARRAYS = {
  node: Int32Array,
  start: Float64Array,
  label: Int8Array,
  part: Uint8Array,
  counts: Uint16Array,
  values: Float64Array,
} as const

interface Columns {
  node: Int32Array
  start: Float64Array
  label: Int8Array
  part: Uint8Array
  counts: Uint16Array
  values: Float64Array
}
type Column = keyof Columns

/** Windows read at once: 3.8 MB at d = 460. */
const READ_ROWS = 1024

const readAsync = promisify(read)

/** Windows on disk, a file a column: memory does not depend on their number. */
export class WindowStore {
  rows: number
  readonly features: number
  readonly metrics: number
  private readonly files: Record<Column, number>

  /**
   * `features` values and `metrics` sample counts a window. Begins anew in `directory`, which is made; with `written`
   * opens what an earlier store has left there, read only.
   */
  constructor(features: number, metrics: number, directory: string, written?: { rows: number }) {
    this.features = features
    this.metrics = metrics
    this.rows = written?.rows ?? 0
    mkdirSync(directory, { recursive: true })
    const open = (column: Column): number =>
      openSync(join(directory, FILES[column]), written === undefined ? 'w+' : 'r')
    this.files = {
      node: open('node'),
      start: open('start'),
      label: open('label'),
      part: open('part'),
      counts: open('counts'),
      values: open('values'),
    }
  }

  append(block: WindowBlock): void {
    for (const column of ['node', 'start', 'label', 'counts', 'values'] as const) {
      this.write(column, this.rows, block[column].subarray(0, block.rows * this.width(column)))
    }
    this.rows += block.rows
  }

  /** Says what the windows from `first` on serve for. */
  assign(first: number, parts: Uint8Array): void {
    this.write('part', first, parts)
  }

  /** A column's entries of `rows` windows from `first` on, into `into` where given. */
  read<C extends Column>(column: C, first: number, rows: number, into?: Columns[C]): Columns[C] {
    const { array, bytes, position } = this.place(column, first, rows, into)
    for (let done = 0; done < bytes.length; ) {
      done += checkRead(readSync(this.files[column], bytes, done, bytes.length - done, position + done))
    }
    return array
  }

  /** Spans of consecutive windows that cover the store. */
  *spans(rowsPerSpan: number): Generator<{ first: number; rows: number }, void> {
    for (let first = 0; first < this.rows; first += rowsPerSpan) {
      yield { first, rows: Math.min(rowsPerSpan, this.rows - first) }
    }
  }

  /** The windows of a part (and of `nodes`) in order, read ahead; a block holds at most `rowsPerBlock`. */
  async *windows(
    part: Part,
    rowsPerBlock = READ_ROWS,
    nodes?: ReadonlySet<number>,
  ): AsyncGenerator<PartBlock> {
    const buffer = (): PartBlock => ({
      first: 0,
      rows: 0,
      node: new Int32Array(rowsPerBlock),
      start: new Float64Array(rowsPerBlock),
      label: new Int8Array(rowsPerBlock),
      values: new Float64Array(rowsPerBlock * this.features),
    })
    const load = async (span: PartSpan, into: PartBlock): Promise<void> => {
      for (const column of ['node', 'start', 'label', 'values'] as const) {
        await this.readAhead(column, span.from, span.to - span.from, into[column])
        keepRows(into[column], this.width(column), span)
      }
    }
    const spans = this.spansOf(part, rowsPerBlock, nodes)
    for await (const { item, buffer: block } of loadAhead(spans, [buffer(), buffer()], load)) {
      const rows = item.members.length
      yield {
        first: item.first,
        rows,
        node: block.node.subarray(0, rows),
        start: block.start.subarray(0, rows),
        label: block.label.subarray(0, rows),
        values: block.values.subarray(0, rows * this.features),
      }
    }
  }

  /** Windows by their index, few enough for memory, as one block. */
  pick(indices: readonly number[]): PartBlock {
    const block: PartBlock = {
      first: 0,
      rows: indices.length,
      node: new Int32Array(indices.length),
      start: new Float64Array(indices.length),
      label: new Int8Array(indices.length),
      values: new Float64Array(indices.length * this.features),
    }
    indices.forEach((index, i) => {
      this.read('node', index, 1, block.node.subarray(i))
      this.read('start', index, 1, block.start.subarray(i))
      this.read('label', index, 1, block.label.subarray(i))
      this.read('values', index, 1, block.values.subarray(i * this.features))
    })
    return block
  }

  /** Waits until everything is on the disk itself. */
  sync(): void {
    for (const file of Object.values(this.files)) fsyncSync(file)
  }

  close(): void {
    for (const file of Object.values(this.files)) closeSync(file)
  }

  /** The spans that hold windows of a part, each cut to its first and last one. */
  private *spansOf(part: Part, rowsPerSpan: number, nodes?: ReadonlySet<number>): Generator<PartSpan, void> {
    let first = 0
    for (const span of this.spans(rowsPerSpan)) {
      const parts = this.read('part', span.first, span.rows)
      const node = nodes === undefined ? null : this.read('node', span.first, span.rows)
      const members: number[] = []
      for (let i = 0; i < span.rows; i++) {
        // One entry a window, as of parts.
        if (parts[i] === PART[part] && (node === null || nodes?.has(node[i]!) === true)) members.push(i)
      }
      const [start, last] = [members[0], members.at(-1)]
      if (start === undefined || last === undefined) continue
      yield {
        first,
        from: span.first + start,
        to: span.first + last + 1,
        members: Int32Array.from(members, (i) => i - start),
      }
      first += members.length
    }
  }

  private write<C extends Column>(column: C, first: number, data: Columns[C]): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const position = first * this.width(column) * data.BYTES_PER_ELEMENT
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.files[column], bytes, done, bytes.length - done, position + done)
    }
  }

  private async readAhead<C extends Column>(
    column: C,
    first: number,
    rows: number,
    into: Columns[C],
  ): Promise<void> {
    const { bytes, position } = this.place(column, first, rows, into)
    for (let done = 0; done < bytes.length; ) {
      const length = bytes.length - done
      done += checkRead((await readAsync(this.files[column], bytes, done, length, position + done)).bytesRead)
    }
  }

  /** Where entries of a column go in memory and stand in the file. */
  private place<C extends Column>(
    column: C,
    first: number,
    rows: number,
    into?: Columns[C],
  ): { array: Columns[C]; bytes: Uint8Array; position: number } {
    const size = rows * this.width(column)
    const array = (into?.subarray(0, size) ?? new ARRAYS[column](size)) as Columns[C]
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    return { array, bytes, position: first * this.width(column) * array.BYTES_PER_ELEMENT }
  }

  /** Entries of a column a window. */
  private width(column: Column): number {
    return column === 'values' ? this.features : column === 'counts' ? this.metrics : 1
  }
}

interface PartSpan {
  first: number
  /** Windows of the store, `to` left out. */
  from: number
  to: number
  /** The part's windows, counted from `from`. */
  members: Int32Array
}

/** Moves the members' entries to the front. */
function keepRows(data: Columns[Column], width: number, { members, from, to }: PartSpan): void {
  if (members.length === to - from) return
  members.forEach((member, i) => {
    data.copyWithin(i * width, member * width, (member + 1) * width)
  })
}

function checkRead(bytesRead: number): number {
  if (bytesRead === 0) throw new Error('the window file is shorter than written; is the disk full?')
  return bytesRead
}
