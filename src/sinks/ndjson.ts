import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { AlarmRecord, FlagRecord } from '../detect/records.ts'
import type { Sink } from './sink.ts'

export interface NdjsonSinkOptions {
  /** File of the flags. */
  flags: string
  /** File of the alarms; may be the same one, `kind` tells the records apart. */
  alarms: string
  /** Only flags of anomalous windows; alarms always. */
  anomalousOnly: boolean
  /** Bytes from which on a file is set aside and a new one begun; unlimited unless given. */
  maxBytes?: number
  /** Files set aside that are kept, `FILE.1` the newest. */
  keep?: number
}

/** Flags and alarms as JSON, one a line, appended to files. A write that resolved survives the process, not the machine. */
export class NdjsonSink implements Sink {
  readonly kind = 'ndjson'
  readonly #options: NdjsonSinkOptions
  #flags: LineFile | null = null
  #alarms: LineFile | null = null

  constructor(options: NdjsonSinkOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { flags, alarms, maxBytes = Number.POSITIVE_INFINITY, keep = 0 } = this.#options
    const rotation = { maxBytes, keep }
    this.#flags = await LineFile.open(flags, rotation)
    try {
      this.#alarms = resolve(flags) === resolve(alarms) ? this.#flags : await LineFile.open(alarms, rotation)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async write(flags: readonly FlagRecord[], alarms: readonly AlarmRecord[]): Promise<void> {
    if (this.#flags === null || this.#alarms === null) throw new Error('write before start')
    await this.#flags.append(this.#options.anomalousOnly ? flags.filter((flag) => flag.anomalous) : flags)
    await this.#alarms.append(alarms)
  }

  async close(): Promise<void> {
    const files = new Set([this.#flags, this.#alarms])
    this.#flags = null
    this.#alarms = null
    for (const file of files) await file?.close()
  }
}

const NEWLINE = 0x0a

interface Rotation {
  maxBytes: number
  keep: number
}

class LineFile {
  readonly #path: string
  readonly #rotation: Rotation
  #handle: FileHandle
  #bytes: number
  /** The file ends within a line, left by a crash or a full disk: the next record must not be glued to it. */
  #torn: boolean

  private constructor(path: string, rotation: Rotation, { handle, bytes, torn }: Opened) {
    this.#path = path
    this.#rotation = rotation
    this.#handle = handle
    this.#bytes = bytes
    this.#torn = torn
  }

  /** Opens for appending, making the folder if need be. */
  static async open(path: string, rotation: Rotation): Promise<LineFile> {
    try {
      await mkdir(dirname(path), { recursive: true })
      return new LineFile(path, rotation, await openForAppending(path))
    } catch (error) {
      throw new Error(`cannot open ${path} for appending: ${(error as Error).message}`)
    }
  }

  async append(records: readonly object[]): Promise<void> {
    if (records.length === 0) return
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join('')
    try {
      // Records of one window stay together: a file may end above the limit by their size.
      if (this.#bytes >= this.#rotation.maxBytes) await this.#rotate()
      const data = Buffer.from(this.#torn ? `\n${text}` : text)
      await this.#handle.appendFile(data)
      this.#bytes += data.length
      this.#torn = false
    } catch (error) {
      this.#torn = true
      throw new Error(`cannot write to ${this.#path}: ${(error as Error).message}`)
    }
  }

  /** FILE becomes FILE.1, FILE.1 becomes FILE.2; what is beyond the number to keep goes. */
  async #rotate(): Promise<void> {
    const { keep } = this.#rotation
    const name = (n: number): string => (n === 0 ? this.#path : `${this.#path}.${n}`)
    await rm(name(keep), { force: true })
    for (let n = keep - 1; n >= 0; n--) await rename(name(n), name(n + 1)).catch(ignoreAbsent)
    const before = this.#handle
    const { handle, bytes, torn } = await openForAppending(this.#path)
    this.#handle = handle
    this.#bytes = bytes
    this.#torn = torn
    await before.close()
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

interface Opened {
  handle: FileHandle
  bytes: number
  torn: boolean
}

async function openForAppending(path: string): Promise<Opened> {
  const handle = await open(path, 'a+')
  const { size } = await handle.stat()
  const last = Buffer.alloc(1)
  if (size > 0) await handle.read(last, 0, 1, size - 1)
  return { handle, bytes: size, torn: size > 0 && last[0] !== NEWLINE }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
