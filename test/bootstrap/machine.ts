/** A small machine's history as parquet, made by SQL: two nodes that alternate between idle and busy. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type BootstrapRequest, bootstrap } from '../../src/bootstrap/bootstrap.ts'
import type { Progress } from '../../src/bootstrap/progress.ts'
import type { BootstrapResult } from '../../src/bootstrap/publish.ts'
import { defaultConfig } from '../../src/config/load.ts'
import type { TrainingConfig } from '../../src/config/schema.ts'
import { folder, withHistory, write } from '../history/parquet.ts'

export interface HistoryOptions {
  hours?: number
  /** SQL for the label, or null without a column of labels; `i` is the minute. */
  label?: string | null
  /** SQL for the load, 0 … 1. */
  load?: string
  /** Further columns. */
  extra?: string
  /** Factor on the speed of the fan. */
  fan?: number
}

/** Minutes at a time in one operating mode; no multiple of the window, so that mixed windows occur. */
const PHASE = 170

/** Writes `hours` of five metrics a minute of nodes r1n1 and r1n2, and returns the file. */
export function writeMachine(options: HistoryOptions = {}): Promise<string> {
  const { hours = 72, label = null, load = `((i // ${PHASE} + n) % 2)`, extra = '', fan = 1 } = options
  const noise = (salt: number): string => `(hash(i * 1009 + n * 31 + ${salt}) % 1000 / 1000.0 - 0.5)`
  return write(
    folder(),
    'machine.parquet',
    `SELECT make_timestamp_ms(1767225600000 + i * 60000) AS timestamp, 'r1n' || (n + 1) AS node,
      100 + 900 * load + 40 * ${noise(1)} AS power, 40 + 25 * load + 3 * ${noise(2)} AS cpu_temp,
      20 + 2 * sin(i / 700.0) + 0.5 * ${noise(3)} AS ambient, 90 * load + 5 + 4 * ${noise(4)} AS cpu_user,
      ${fan} * (5000 + 3000 * load + 200 * ${noise(5)}) AS fan${extra}${label === null ? '' : `, ${label} AS label`}
     FROM (SELECT i, n, ${load} AS load FROM range(${hours * 60}) t(i), range(2) s(n)) ORDER BY i, n`,
  )
}

export function training(changes: Partial<TrainingConfig> = {}): TrainingConfig {
  return { ...defaultConfig().training, ...changes }
}

/** A place for a bundle in a folder of its own. */
export function place(): { out: string; left(): string[] } {
  const parent = folder()
  return { out: join(parent, 'model'), left: () => (existsSync(parent) ? readdirSync(parent) : []) }
}

export const silent: Progress = { step: () => ({ advance() {}, finish() {} }) }

/** Runs `bootstrap` on files, without a catalogue. */
export function run(
  file: string,
  out: string,
  changes: Partial<TrainingConfig> = {},
  more: Partial<Pick<BootstrapRequest, 'progress' | 'signal' | 'catalogue'>> = {},
): Promise<BootstrapResult> {
  return withHistory([file], (history) =>
    bootstrap({ history, catalogue: null, training: training(changes), out, progress: silent, ...more }),
  )
}
