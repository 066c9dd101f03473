import { type FileHandle, mkdir, open } from 'node:fs/promises'
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
    const { flags, alarms } = this.#options
    this.#flags = await LineFile.open(flags)
    try {
      this.#alarms = resolve(flags) === resolve(alarms) ? this.#flags : await LineFile.open(alarms)
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

class LineFile {
  readonly #path: string
  readonly #handle: FileHandle
  /** The file ends within a line, left by a crash or a full disk: the next record must not be glued to it. */
  #torn: boolean

  private constructor(path: string, handle: FileHandle, torn: boolean) {
    this.#path = path
    this.#handle = handle
    this.#torn = torn
  }

  /** Opens for appending, making the folder if need be. */
  static async open(path: string): Promise<LineFile> {
    try {
      await mkdir(dirname(path), { recursive: true })
      const handle = await open(path, 'a+')
      const { size } = await handle.stat()
      const last = Buffer.alloc(1)
      if (size > 0) await handle.read(last, 0, 1, size - 1)
      return new LineFile(path, handle, size > 0 && last[0] !== NEWLINE)
    } catch (error) {
      throw new Error(`cannot open ${path} for appending: ${(error as Error).message}`)
    }
  }

  async append(records: readonly object[]): Promise<void> {
    if (records.length === 0) return
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join('')
    try {
      await this.#handle.appendFile(this.#torn ? `\n${text}` : text)
      this.#torn = false
    } catch (error) {
      this.#torn = true
      throw new Error(`cannot write to ${this.#path}: ${(error as Error).message}`)
    }
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}
