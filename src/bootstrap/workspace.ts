/** The folder beside a bundle in which its training works, and from which an interrupted one goes on. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ModelError } from '../model/errors.ts'

export interface Workspace {
  /** Of `prepare`. */
  prepared: string
  /** The training's state. */
  state: string
  /** Lets others in; `keep` leaves the content to the next run. */
  close(keep: boolean): void
}

/** The folder of the bundle at `out`; it exists while a training is under way or can go on. */
export function workspaceOf(out: string): string {
  const target = resolve(out)
  return join(dirname(target), `.${basename(target)}.training`)
}

/**
 * Makes or reopens the folder of the bundle at `out`, for this process alone.
 *
 * @throws ModelError where it can't be written, so that hours of training do not end in that message, and where another
 * process is at work in it.
 */
export function openWorkspace(out: string): Workspace {
  const folder = workspaceOf(out)
  const lock = join(folder, 'process')
  try {
    mkdirSync(folder, { recursive: true })
    takeLock(lock, out)
  } catch (cause) {
    if (cause instanceof ModelError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ModelError('not_writable', `no bundle can be written to ${out}: ${reason}`, { cause })
  }
  return {
    prepared: join(folder, 'prepared'),
    state: join(folder, 'state.bin'),
    close: (keep) => rmSync(keep ? lock : folder, { recursive: true, force: true }),
  }
}

/** A process that was told to end, or was killed a moment ago, gets this long before it counts as at work, ms. */
const ENDING_MS = 2_000
const ENDING_LOOK_MS = 50

/** Writes the process' number to `lock`. One that a killed process has left behind is taken over. */
function takeLock(lock: string, out: string): void {
  const deadline = performance.now() + ENDING_MS
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    let owner: number
    try {
      owner = Number(readFileSync(lock, 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      continue // its owner has ended in this moment
    }
    // A killed process may have had the same number, as every first process of a container has.
    if (owner > 0 && owner !== process.pid && isAlive(owner)) {
      if (performance.now() < deadline) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ENDING_LOOK_MS)
        continue
      }
      throw new ModelError(
        'busy',
        `process ${owner} is training for ${out}; wait for it, choose another --out, or remove ${lock} if that process is something else`,
      )
    }
    rmSync(lock, { force: true })
  }
}

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0)
    return !isZombie(process_)
  } catch (error) {
    // It exists and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** It has ended, and its parent has not heard of it yet. False where the system does not tell. */
function isZombie(process_: number): boolean {
  try {
    // The state follows the program's name in parentheses, which may hold anything.
    const stat = readFileSync(`/proc/${process_}/stat`, 'utf8')
    return stat.startsWith(') Z ', stat.lastIndexOf(')'))
  } catch {
    return false
  }
}
