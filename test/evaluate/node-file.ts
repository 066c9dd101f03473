/** One node's file in the report's layout, made by SQL: two operating modes, and a few hours that are labelled anomalous. */
import type { TrainingConfig } from '../../src/config/schema.ts'
import { training } from '../bootstrap/machine.ts'
import { folder, write } from '../history/parquet.ts'

export const WINDOWS = 320
/** Windows 40 … 59 carry label 2. */
export const ANOMALOUS = 20

export interface NodeFileOptions {
  windows?: number
  /** SQL for New_label of window i, or null without the column. */
  label?: string | null
  /** Further columns. */
  extra?: string
  /** SQL for the load, 0 … 1. */
  load?: string
  /** Share by which values vary within a mode. */
  noise?: number
  name?: string
}

/** Windows of three metrics with four statistics each. */
export function writeNode(options: NodeFileOptions = {}): Promise<string> {
  const {
    windows = WINDOWS,
    extra = '',
    noise: spread = 0.1,
    load = '((i // 23) % 2)',
    name = 'r206n05.parquet',
  } = options
  const label =
    options.label === undefined ? 'CASE WHEN i BETWEEN 40 AND 59 THEN 2 ELSE 0 END' : options.label
  const noise = (salt: number): string => `(hash(i * 1009 + ${salt}) % 1000 / 1000.0 - 0.5)`
  const metric = (metricName: string, level: string, salt: number): string =>
    ['avg', 'var', 'max', 'min']
      .map(
        (statistic, s) =>
          `(${level}) * (1 + ${spread} * ${noise(10 * salt + s)}) AS "${statistic}:${metricName}"`,
      )
      .join(', ')
  return write(
    folder(),
    name,
    `SELECT make_timestamp_ms(1583712000000 + i * 900000) AS timestamp,
      ${metric('power', '100 + 900 * load', 1)}, ${metric('temp', '40 + 20 * load', 2)}, ${metric('fan', '5000', 3)}
      ${extra}${label === null ? '' : `, (${label})::INTEGER AS "New_label"`}
     FROM (SELECT i, ${load} AS load FROM range(${windows}) t(i)) ORDER BY i`,
  )
}

/** The report's preset on a network that trains in a second. */
export function smallPreset(changes: Partial<TrainingConfig> = {}): TrainingConfig {
  return training({
    preset: 'report',
    hidden: [12, 6],
    code: 3,
    pretrain: { epochs: 20, batch: 32, initialiser: 'variance-scaling' },
    cluster: { batch: 32, max_iterations: 40, update_interval: 10 },
    ...changes,
  })
}
