import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WindowBlock } from './block.ts'

/**
 * Windows spilled to disk: the feature values stay in a temporary file and are read back in pieces, so that memory
 * holds only node, start, label and coverage of each window (21 bytes). The file goes when the store is closed.
 */
export class WindowStore {
  rows = 0
  node = new Int32Array(1024)
  start = new Float64Array(1024)
  label = new Int8Array(1024)
  readonly features: number
  readonly metrics: number
  private readonly directory: string
  private readonly values: number
  private readonly counts: number

  /** `features` values and `metrics` sample counts a window. `directory` defaults to the system's temporary one. */
  constructor(features: number, metrics: number, directory = tmpdir()) {
    this.features = features
    this.metrics = metrics
    this.directory = mkdtempSync(join(directory, 'examon-dec-windows-'))
    this.values = openSync(join(this.directory, 'values.f64'), 'w+')
    this.counts = openSync(join(this.directory, 'counts.u16'), 'w+')
  }

  append(block: WindowBlock): void {
    const end = this.rows + block.rows
    if (end > this.node.length) {
      const size = Math.max(end, 2 * this.node.length)
      this.node = grown(this.node, new Int32Array(size))
      this.start = grown(this.start, new Float64Array(size))
      this.label = grown(this.label, new Int8Array(size))
    }
    this.node.set(block.node.subarray(0, block.rows), this.rows)
    this.start.set(block.start.subarray(0, block.rows), this.rows)
    this.label.set(block.label.subarray(0, block.rows), this.rows)
    writeAll(this.values, block.values.subarray(0, block.rows * this.features))
    writeAll(this.counts, block.counts.subarray(0, block.rows * this.metrics))
    this.rows = end
  }

  /** Reads `rows` windows from `first` on into `into` (rows × features). */
  readValues(first: number, rows: number, into: Float64Array): Float64Array {
    return readAll(this.values, into.subarray(0, rows * this.features), first * this.features * 8)
  }

  /** Reads `rows` × metrics sample counts. */
  readCounts(first: number, rows: number, into: Uint16Array): Uint16Array {
    return readAll(this.counts, into.subarray(0, rows * this.metrics), first * this.metrics * 2)
  }

  close(): void {
    closeSync(this.values)
    closeSync(this.counts)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function grown<T extends { set(values: T): void }>(from: T, to: T): T {
  to.set(from)
  return to
}

function writeAll(file: number, data: Float64Array | Uint16Array): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
}

function readAll<T extends Float64Array | Uint16Array>(file: number, into: T, position: number): T {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength)
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(file, bytes, done, bytes.length - done, position + done)
    if (read === 0) throw new Error('the temporary window file is shorter than written; is the disk full?')
    done += read
  }
  return into
}
