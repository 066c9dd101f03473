import { readFileSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Checkpoint, States } from './checkpoint.ts'

/** Version of the file's form. */
const FORMAT = 1

/**
 * State in a JSON file, for sources that keep nothing themselves: every node's state, written beside and renamed, so that a crash
 * leaves the older file whole.
 */
export class FileCheckpoint implements Checkpoint {
  readonly #file: string
  readonly #states: Map<string, unknown>
  #last: Promise<unknown> = Promise.resolve()

  private constructor(file: string, states: Map<string, unknown>) {
    this.#file = file
    this.#states = states
  }

  /** Reads the file, or starts without. Rejects naming the file where it is damaged or its folder can't be written to. */
  static async open(file: string): Promise<FileCheckpoint> {
    await mkdir(dirname(file), { recursive: true })
    const checkpoint = new FileCheckpoint(file, read(file))
    await checkpoint.save(new Map()) // an unwritable place is told at the start
    return checkpoint
  }

  async restore(): Promise<Map<string, unknown>> {
    return new Map(this.#states)
  }

  save(states: States): Promise<void> {
    for (const [node, state] of states) {
      if (state === null) this.#states.delete(node)
      else this.#states.set(node, state)
    }
    const turn = this.#last.then(() => this.#write())
    this.#last = turn.catch(() => {})
    return turn
  }

  async close(): Promise<void> {
    await this.#last
  }

  async #write(): Promise<void> {
    const beside = `${this.#file}.tmp`
    const handle = await open(beside, 'w', 0o640)
    try {
      await handle.writeFile(JSON.stringify({ format: FORMAT, nodes: Object.fromEntries(this.#states) }))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(beside, this.#file)
  }
}

function read(file: string): Map<string, unknown> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw new Error(
      `can't read state file ${file} (config key source.state_file): ${(error as Error).message}`,
    )
  }
  const remedy = 'delete the file to start without state'
  let content: { format?: unknown; nodes?: unknown } | null
  try {
    content = JSON.parse(text)
  } catch (error) {
    throw new Error(`state file ${file}: no JSON (${(error as Error).message}); ${remedy}`)
  }
  const nodes = content?.nodes
  if (content?.format !== FORMAT || typeof nodes !== 'object' || nodes === null)
    throw new Error(`state file ${file}: not of format ${FORMAT}; ${remedy}`)
  return new Map(Object.entries(nodes))
}
