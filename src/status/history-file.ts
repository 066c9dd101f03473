/**
 * The page's history across restarts: a file of JSON lines, the first its form and the alarms, then one a node. It is a convenience: what can't
 * be read or written is told, and the daemon goes on without.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Ajv } from 'ajv'
import Type from 'typebox'
import { AlarmRecordSchema, FlagRecordSchema } from '../detect/record-schemas.ts'
import { ALARM_STATES, type AlarmRecord, type AlarmState, type FlagRecord } from '../detect/records.ts'
import type { KeptNode, StatusStore } from './store.ts'

/** Version of the file's form. */
const FORMAT = 1
/** From one writing to the next, ms: a crash loses so much of what the page shows, and no flag. */
const EVERY_MS = 300_000
const MODE = 0o640

type Point = [endMs: number, score: number | null, state: AlarmState, mode: number | null]

const isHead = new Ajv().compile<{ format: number; alarms: AlarmRecord[] }>(
  Type.Object({ format: Type.Literal(FORMAT), alarms: Type.Array(AlarmRecordSchema) }),
)
const orNull = Type.Union([Type.Number(), Type.Null()])
const isNode = new Ajv().compile<{ flag: FlagRecord; history: Point[] }>(
  Type.Object({
    flag: FlagRecordSchema,
    history: Type.Array(Type.Tuple([Type.Number(), orNull, Type.Enum([...ALARM_STATES]), orNull])),
  }),
)

export class HistoryFile {
  readonly #file: string
  readonly #store: StatusStore
  readonly #forgetMs: number
  readonly #onFailure: (error: Error) => void
  readonly #timer: NodeJS.Timeout
  #last: Promise<void> = Promise.resolve()

  private constructor(file: string, store: StatusStore, forgetMs: number, onFailure: (error: Error) => void) {
    this.#file = file
    this.#store = store
    this.#forgetMs = forgetMs
    this.#onFailure = onFailure
    // A start that fails elsewhere must not wait for it.
    this.#timer = setInterval(() => void this.save(), EVERY_MS).unref()
  }

  /**
   * Fills the store from the file, where there is one, and writes it from then on. Nodes without a window for `forgetMs` of their own
   * time are left out. `onFailure` hears of a file that can't be read or written, or is no such file.
   */
  static async open(
    file: string,
    store: StatusStore,
    forgetMs: number,
    onFailure: (error: Error) => void,
  ): Promise<HistoryFile> {
    await restore(file, store).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') onFailure(error)
    })
    return new HistoryFile(file, store, forgetMs, onFailure)
  }

  /** Writes it beside and renames, so that a crash leaves the older one whole. */
  save(): Promise<void> {
    this.#last = this.#last.then(() => this.#write()).catch(this.#onFailure)
    return this.#last
  }

  /** Writes it a last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.save()
  }

  async #write(): Promise<void> {
    const { watermark } = this.#store.daemon
    if (watermark !== null) this.#store.forgetBefore(Date.parse(watermark) - this.#forgetMs)
    const beside = `${this.#file}.tmp`
    await mkdir(dirname(this.#file), { recursive: true })
    await pipeline(Readable.from(lines(this.#store)), createWriteStream(beside, { mode: MODE, flush: true }))
    await rename(beside, this.#file)
  }
}

function* lines(store: StatusStore): Generator<string> {
  yield `${JSON.stringify({ format: FORMAT, alarms: store.keptAlarms() })}\n`
  for (const { flag, history } of store.kept()) {
    const points = history.map((p): Point => [Date.parse(p.window_end), p.score, p.state, p.mode])
    yield `${JSON.stringify({ flag, history: points })}\n`
  }
}

/** Rejects where a line is not of the form, with its number; what stands before it is restored. */
async function restore(file: string, store: StatusStore): Promise<void> {
  let number = 0
  for await (const line of createInterface({ input: createReadStream(file) })) {
    number++
    const value = parsed(line)
    if (number === 1 && isHead(value)) for (const alarm of value.alarms) store.alarm(alarm)
    else if (number > 1 && isNode(value)) store.restore(keptNode(value))
    else throw new Error(`${file}:${number}: not a line of a history of format ${FORMAT}`)
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function keptNode({ flag, history }: { flag: FlagRecord; history: Point[] }): KeptNode {
  return {
    flag,
    history: history.map(([endMs, score, state, mode]) => ({
      window_end: new Date(endMs).toISOString(),
      score,
      state,
      mode,
    })),
  }
}
