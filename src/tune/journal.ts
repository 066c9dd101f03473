/**
 * The journal of a search: one JSON line a finished trial, forced to disk before the next step, so that a search that
 * was killed goes on where it was.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { TrialResult } from './trial.ts'

/** What must be the same for results to be comparable; each part by its name, as text. */
export type Identity = Record<string, string>

/** The number of a trial, and of the rung of a search by halving that it stood on (0 where there is one). */
export interface ResultKey {
  trial: number
  rung: number
}

export class JournalError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'JournalError'
  }
}

/** `Result`: what a line holds, known by its trial and rung. */
export class Journal<Result extends ResultKey = TrialResult> {
  /** How many results the journal held when it was opened. */
  readonly held: number
  private readonly found: ReadonlyMap<string, Result>
  private readonly file: number

  /**
   * Opens the journal of this search, or begins one. A last line that was cut off by a kill is dropped.
   *
   * @throws JournalError when the journal is that of another search, with what differs, or is damaged before its end.
   */
  static open<Result extends ResultKey = TrialResult>(path: string, identity: Identity): Journal<Result> {
    const { lines, length } = readLines(path)
    const [first, ...rest] = lines
    if (first !== undefined) checkIdentity(path, first as { search?: Identity }, identity)
    const file = openSync(path, 'a+')
    ftruncateSync(file, length)
    const journal = new Journal(file, rest as Result[])
    if (first === undefined) journal.write({ search: identity })
    return journal
  }

  private constructor(file: number, found: readonly Result[]) {
    this.file = file
    this.held = found.length
    this.found = new Map(found.map((result) => [resultKey(result), result]))
  }

  /** The result of a trial in a rung, if an earlier run has left it. */
  find(trial: number, rung: number): Result | undefined {
    return this.found.get(resultKey({ trial, rung }))
  }

  append(result: Result): void {
    this.write(result)
  }

  close(): void {
    closeSync(this.file)
  }

  private write(line: object): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    for (let done = 0; done < bytes.length; ) done += writeSync(this.file, bytes, done)
    fsyncSync(this.file)
  }
}

function resultKey({ trial, rung }: ResultKey): string {
  return `${trial}/${rung}`
}

/** Parsed lines, and the length in bytes of what is whole. */
function readLines(path: string): { lines: unknown[]; length: number } {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { lines: [], length: 0 }
    throw error
  }
  const length = bytes.lastIndexOf(0x0a) + 1
  const texts = bytes.subarray(0, length).toString('utf8').split('\n').slice(0, -1)
  const lines = texts.map((text, i): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      throw new JournalError(`${path}:${i + 1}: not a line of a journal; delete the folder to begin anew`)
    }
  })
  return { lines, length }
}

function checkIdentity(path: string, { search }: { search?: Identity }, identity: Identity): void {
  const keys = [...new Set([...Object.keys(search ?? {}), ...Object.keys(identity)])]
  const different = keys.filter((key) => search?.[key] !== identity[key])
  if (different.length === 0) return
  throw new JournalError(
    `${path} belongs to another search: ${different.join(', ')} differ. Go on with what it was begun with, give another --out, or delete that folder to begin anew`,
  )
}
