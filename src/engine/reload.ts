/** Taking up another model or other detection settings while the daemon runs. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { loadRunConfig } from '../config/load.ts'
import type { RunConfig } from '../config/schema.ts'
import { detectorOptions } from '../detect/options.ts'
import { MANIFEST, openBundle } from '../model/bundle.ts'
import { errorText } from '../telemetry/logger.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { Engine } from './engine.ts'

type Why = 'SIGHUP' | 'HTTP' | 'change'

/** How often the files are looked at, ms. */
const LOOK_EVERY_MS = 5_000
/** Sections whose change needs a restart, which loses nothing where the source keeps its samples. */
const FIXED = ['source', 'sinks', 'windows', 'http', 'log'] as const

/**
 * Looks at the configuration and the bundle on SIGHUP or a request, and every few seconds by content, so that a renamed folder or a
 * ConfigMap's link counts and a touched file does not. What is new is checked first; where it is bad, the daemon goes on with
 * what it has and says so.
 */
export class Reloader {
  readonly #file: string
  readonly #engine: Engine
  readonly #telemetry: Telemetry
  #config: RunConfig
  /** Content that the daemon runs on, or that was refused. */
  #seen: string
  #refusal: string | null = null
  #turn: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | null = null
  readonly #onSignal = () => void this.#queue('SIGHUP')

  constructor(file: string, config: RunConfig, engine: Engine, telemetry: Telemetry) {
    this.#file = file
    this.#config = config
    this.#engine = engine
    this.#telemetry = telemetry
    this.#seen = contentOf(file, config.model) ?? ''
  }

  start(): void {
    process.on('SIGHUP', this.#onSignal)
    this.#timer = setInterval(() => void this.#queue('change'), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  stop(): void {
    process.off('SIGHUP', this.#onSignal)
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** Looks at once; why what is there was refused, or null. */
  async reload(): Promise<string | null> {
    await this.#queue('HTTP')
    return this.#refusal
  }

  /** One at a time. */
  #queue(why: Why): Promise<void> {
    this.#turn = this.#turn.then(() => this.#look(why))
    return this.#turn
  }

  async #look(why: Why): Promise<void> {
    const content = contentOf(this.#file, this.#config.model)
    // Neither file nor folder may be there for a moment while they are replaced. What was refused is tried again, for a
    // bundle may have been copied in part.
    if (why === 'change' && (content === null || (content === this.#seen && this.#refusal === null))) return
    try {
      const config = loadRunConfig(this.#file)
      const changed = FIXED.filter((key) => !isDeepStrictEqual(plain(config[key]), plain(this.#config[key])))
      if (changed.length > 0) throw new Error(`${changed.join(' and ')} changed, which needs a restart`)
      const bundle = openBundle(config.model)
      await this.#engine.replace(bundle, detectorOptions(config.detect))
      this.#config = config
      this.#seen = contentOf(this.#file, config.model) ?? ''
      this.#refusal = null
      this.#telemetry.reloaded(why)
    } catch (error) {
      const reason = errorText(error)
      this.#seen = content ?? ''
      if (why !== 'change' || reason !== this.#refusal) this.#telemetry.reloadFailed(why, reason)
      this.#refusal = reason
    }
  }
}

/** A hash of what a reload would read; null where a file is missing. The manifest holds the hash of the network. */
function contentOf(file: string, model: string): string | null {
  const hash = createHash('sha256')
  try {
    for (const path of [file, join(model, MANIFEST)]) hash.update(readFileSync(path)).update('\0')
  } catch {
    return null
  }
  return hash.digest('hex')
}

/** Secrets compare as equal: a changed one is taken up by a restart. */
function plain(section: unknown): unknown {
  return JSON.parse(JSON.stringify(section))
}
