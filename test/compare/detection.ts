/**
 * How well windows are told apart on real servers and services: for each, a model is trained on the train file with default
 * settings and judged on the test file beside the baselines, which see the same windows. Prints the tables of docs/evaluation.md.
 *
 *     npx node test/compare/detection.ts [--seeds 1,2,3,4,5] [--json FILE]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bootstrap } from '../../src/bootstrap/bootstrap.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { EvaluationDetail } from '../../src/evaluate/detail.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { type Difference, type Figures, type Summary, summarise } from '../../src/evaluate/figures.ts'
import type { Interval } from '../../src/evaluate/intervals.ts'
import { EvaluatedWindows } from '../../src/evaluate/windows.ts'
import { openHistory } from '../../src/history/history.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { sharedData } from '../support/data.ts'
import { machine } from './machine.ts'

const DATA_SETS = [
  {
    name: 'smd',
    title: 'Three machines of the Server Machine Dataset',
    entities: ['machine-1-6', 'machine-1-7', 'machine-2-1'],
  },
  {
    name: 'js2',
    title: 'Ten services of JumpStarter Dataset2',
    entities: Array.from({ length: 10 }, (_, i) => `service${i}`),
  },
]

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '1,2,3,4,5' }, json: { type: 'string' } },
})
const config = defaultConfig()
const { training } = config
const seeds = values.seeds.split(',').map(Number)
const place = mkdtempSync(join(tmpdir(), 'examon-dec-detection-'))
const WINDOWS = { everySeconds: training.every ?? training.window, lengthSeconds: training.window }
/** By data set, one summary a seed. */
const results: Record<string, Summary[]> = {}

try {
  console.log(`${machine()}; ${new Date().toISOString().slice(0, 10)}`)
  for (const { name, title, entities } of DATA_SETS) {
    const folder = sharedData(name)
    if (folder === null) continue
    const started = performance.now()
    const summaries: Summary[] = []
    for (const seed of seeds) {
      const details: EvaluationDetail[] = []
      for (const entity of entities) details.push(await judge(join(folder, entity), seed))
      summaries.push(await summarise(gathered(details), entities, WINDOWS))
    }
    const [summary] = summaries
    if (summary === undefined) throw new Error('--seeds names no seed')
    results[name] = summaries
    const minutes = ((performance.now() - started) / 60_000).toFixed(1)
    console.log(`\n### ${title}\n\nMeans over them, seed ${seeds[0]}:\n`)
    console.log(meansTable(summary))
    console.log(`\nMeans over them, with ${seeds.length} seeds:\n`)
    console.log(seedTable(summaries))
    console.log(`\nAUROC / average precision of each, seed ${seeds[0]}:\n`)
    console.log(entityTable(summary, entities))
    console.log(`\n${minutes} minutes to train and evaluate`)
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results))
} finally {
  rmSync(place, { recursive: true })
}

/** Trains on `<path>.train.parquet` and judges `<path>.test.parquet`. */
async function judge(path: string, seed: number): Promise<EvaluationDetail> {
  const out = join(place, 'model')
  const train = await openHistory([`${path}.train.parquet`])
  const progress = { step: () => ({ advance() {}, finish() {} }) }
  await bootstrap({ history: train, catalogue: null, training: { ...training, seed }, out, progress })
  train.close()
  const test = await openHistory([`${path}.test.parquet`])
  try {
    return (await evaluate(openBundle(out), test, detectorOptions(config.detect))).detail
  } finally {
    test.close()
  }
}

/** The windows of all entities, each of one node, as those of one machine; the scores are comparable. */
function gathered(details: readonly EvaluationDetail[]): EvaluatedWindows {
  const windows = new EvaluatedWindows(details[0]?.scores.map(({ name }) => name) ?? [])
  details.forEach((detail, entity) => {
    const rows = detail.start.length
    const first = windows.append({
      rows,
      node: new Int32Array(rows).fill(entity),
      start: detail.start,
      label: detail.label,
      values: new Float64Array(0),
      counts: new Uint16Array(0),
    })
    windows.columns.forEach((column, c) => {
      column.score.set(detail.scores[c]?.score ?? [], first)
    })
  })
  windows.finish()
  return windows
}

function meansTable({ detectors, differences }: Summary): string {
  const rows = detectors.map(({ detector, mean }) => {
    const difference = differences.find((one) => one.detector === detector)
    return [
      detector,
      withInterval(mean.auroc, mean.intervals.auroc),
      withInterval(mean.averagePrecision, mean.intervals.averagePrecision),
      fixed(mean.bestF1, 3),
      fixed(mean.falseFlagsPerDay, 2),
      `${mean.found} of ${mean.events}`,
      mean.delaySeconds === null ? '–' : (mean.delaySeconds / 60).toFixed(0),
      difference === undefined ? '' : signed(difference.mean.averagePrecision),
    ]
  })
  const titles = [
    'detector',
    'AUROC (95 %)',
    'AP (95 %)',
    'best F1',
    'false flags/day',
    'events found',
    'delay, min',
    'AP of DEC less its (95 %)',
  ]
  return markdown(titles, rows)
}

/** Mean and range over the seeds, of detectors in which chance has a part. */
function seedTable(summaries: readonly Summary[]): string {
  const rows = (summaries[0]?.detectors ?? []).flatMap(({ detector }, d) => {
    const cell = (pick: (figures: Figures) => number | null): string => {
      const found = summaries.flatMap(({ detectors }) => {
        const figures = detectors[d]?.mean
        return figures === undefined ? [] : (pick(figures) ?? [])
      })
      const [least, most] = [Math.min(...found), Math.max(...found)]
      const mean = found.reduce((a, b) => a + b, 0) / found.length
      return least === most ? '' : `${fixed(mean, 3)} (${fixed(least, 3)}–${fixed(most, 3)})`
    }
    const cells = [cell((f) => f.auroc), cell((f) => f.averagePrecision), cell((f) => f.bestF1)]
    return cells.every((text) => text === '') ? [] : [[detector, ...cells]]
  })
  return markdown(['detector', 'AUROC (range)', 'AP (range)', 'best F1 (range)'], rows)
}

function entityTable({ detectors }: Summary, entities: readonly string[]): string {
  const both = (figures: Figures | undefined): string =>
    `${fixed(figures?.auroc ?? null, 3)} / ${fixed(figures?.averagePrecision ?? null, 3)}`
  const rows = detectors.map(({ detector, nodes }) => [
    detector,
    ...entities.map((name) => both(nodes[name])),
  ])
  return markdown(['detector', ...entities], rows)
}

function markdown(titles: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n')
}

function withInterval(value: number | null, interval: Interval | null): string {
  return `${fixed(value, 3)}${interval === null ? '' : ` (${interval.map((end) => fixed(end, 2)).join('–')})`}`
}

function signed({ value, interval }: Difference['mean']['auroc']): string {
  const sign = (x: number): string => `${x < 0 ? '−' : '+'}${fixed(Math.abs(x), 3)}`
  if (value === null) return '–'
  return `${sign(value)}${interval === null ? '' : ` (${interval.map(sign).join(' to ')})`}`
}

function fixed(value: number | null, digits: number): string {
  return value === null ? '–' : value.toFixed(digits).replace(/^0\./, '.')
}
