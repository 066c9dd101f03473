/** The state of a search: as a table, and as the files in its folder. */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { formatDuration } from '../config/duration.ts'
import type { TrainingConfig } from '../config/schema.ts'
import { formatSize } from '../config/size.ts'
import { type Cell, renderTable } from '../evaluate/table.ts'
import type { Criterion } from './criterion.ts'
import type { Rung } from './halving.ts'
import type { Values } from './space.ts'
import type { TrialResult } from './trial.ts'

export interface Standing {
  criterion: Criterion
  rungs: Rung[]
  /** Best first. */
  ranked: TrialResult[]
  running: number
  /** Results that an earlier run left. */
  resumed: number
}

/** `leaderboard.json`, and with a winner `winner.yaml`, both replaced whole. */
export function writeStanding(
  folder: string,
  {
    criterion,
    rungs,
    ranked,
    winner,
  }: Pick<Standing, 'criterion' | 'rungs' | 'ranked'> & {
    winner: { result: TrialResult; training: TrainingConfig } | null
  },
): void {
  const trials = ranked.map((result, i) => ({ rank: i + 1, ...result }))
  const text = JSON.stringify({ criterion, rungs, winner: winner?.result.trial ?? null, trials }, null, 2)
  replace(join(folder, 'leaderboard.json'), `${text}\n`)
  if (winner !== null)
    replace(join(folder, 'winner.yaml'), winnerText(criterion, winner.result, winner.training))
}

/** A configuration by which `bootstrap` trains the winner. */
function winnerText(
  criterion: Criterion,
  { trial, criterion: value }: TrialResult,
  training: TrainingConfig,
): string {
  const { window, every, ...rest } = training
  const durations = {
    window: formatDuration(window),
    ...(every === undefined ? {} : { every: formatDuration(every) }),
  }
  return `# Trial ${trial} of examon-dec tune: ${criterion} ${value?.toFixed(4)}.\n${stringify({ training: { ...durations, ...rest } })}`
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** The first `most` trials, best first. */
export function leaderboardText(
  { criterion, ranked, rungs }: Pick<Standing, 'criterion' | 'ranked' | 'rungs'>,
  most = Number.POSITIVE_INFINITY,
): string {
  const shown = ranked.slice(0, most)
  const keys = [...new Set(shown.flatMap(({ values }) => Object.keys(values)))]
  const rows = shown.map((result, i): Cell[] => [
    i + 1,
    result.trial,
    result.criterion ?? 'failed',
    ...keys.map((key) => valueText(result.values[key])),
    `${result.rung + 1}/${rungs.length}`,
    result.seconds,
    formatSize(result.peakBytes),
  ])
  return renderTable(
    [
      { title: 'rank' },
      { title: 'trial' },
      { title: criterion, decimals: 4 },
      ...keys.map((key) => ({ title: key.replace('learning_rate', 'rate') })),
      { title: 'rung' },
      { title: 's', decimals: 1 },
      { title: 'memory' },
    ],
    rows,
  )
}

/** One line on a trial that has ended. */
export function trialText(
  { trial, criterion, values, rung, seconds, failed }: TrialResult,
  { rungs, criterion: by }: Standing,
): string {
  const result = criterion === null ? `failed: ${failed}` : `${by} ${criterion.toFixed(4)}`
  return `trial ${trial}, rung ${rung + 1}/${rungs.length}: ${result}, ${seconds.toFixed(1)} s (${valuesText(values)})`
}

function valuesText(values: Values): string {
  if (Object.keys(values).length === 0) return 'as configured'
  return Object.entries(values)
    .map(([key, value]) => `${key} ${valueText(value)}`)
    .join(', ')
}

/** Three digits tell values apart; a list as its layers. */
function valueText(value: unknown): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.join('-')
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(3)))
  return String(value)
}
