import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A matrix up to this size stays in memory: q of half a million rows and 8 centres. */
const MEMORY_BYTES = 16 * 2 ** 20

/**
 * A matrix of float32 with one row for each row of a training set, such as q: in memory while small, in a temporary
 * file beyond that, so that memory does not depend on the number of rows. Single rows of the file come from the
 * system's cache, at about two microseconds each.
 */
export class Spill {
  readonly rows: number
  readonly width: number
  private readonly memory: Float32Array | null
  private readonly file: number | null
  private readonly directory: string | null

  /** `directory`: where the file goes, by default the system's temporary one. Entries are 0 until written. */
  constructor(rows: number, width: number, directory = tmpdir()) {
    this.rows = rows
    this.width = width
    const fits = rows * width * 4 <= MEMORY_BYTES
    this.memory = fits ? new Float32Array(rows * width) : null
    this.directory = fits ? null : mkdtempSync(join(directory, 'examon-dec-spill-'))
    this.file = this.directory === null ? null : openSync(join(this.directory, 'rows.f32'), 'w+')
  }

  /** Writes whole rows from row `first` on. */
  write(first: number, data: Float32Array): void {
    this.memory?.set(data, first * this.width)
    if (this.file === null) return
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const position = first * this.width * 4
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.file, bytes, done, bytes.length - done, position + done)
    }
  }

  /** Reads `n` rows from row `first` on into `into`; rows never written read as 0. */
  read(first: number, n: number, into: Float32Array): Float32Array {
    const size = n * this.width
    const at = first * this.width
    if (this.memory !== null) into.set(this.memory.subarray(at, at + size))
    if (this.file !== null) {
      const bytes = new Uint8Array(into.buffer, into.byteOffset, size * 4)
      let done = 0
      while (done < bytes.length) {
        const read = readSync(this.file, bytes, done, bytes.length - done, at * 4 + done)
        if (read === 0) break
        done += read
      }
      bytes.fill(0, done)
    }
    return into.subarray(0, size)
  }

  release(): void {
    if (this.file !== null) closeSync(this.file)
    if (this.directory !== null) rmSync(this.directory, { recursive: true, force: true })
  }
}
