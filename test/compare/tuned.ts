/**
 * Does the search help? `bootstrap` with default values against `tune` with its default space, both on train files of the
 * reference data and judged by `evaluate` on the labelled test files.
 *
 *   npx node test/compare/tuned.ts [--sets smd/machine-1-7,js2/service0,js2/service1] [--seed 1]
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Evaluation } from '../../src/evaluate/evaluate.ts'
import { MODEL_NAME } from '../../src/evaluate/evaluate.ts'
import { type Cell, renderTable } from '../../src/evaluate/table.ts'
import type { TuneResult } from '../../src/tune/tune.ts'
import { sharedData } from '../support/data.ts'
import { machine } from './machine.ts'

const PROGRAM = new URL('../../bin/examon-dec.js', import.meta.url).pathname
/** Of one verb's output: a search prints all its trials. */
const MOST_BYTES = 64 * 2 ** 20

function run(...argv: string[]): string {
  return execFileSync(process.execPath, [PROGRAM, ...argv], {
    encoding: 'utf8',
    maxBuffer: MOST_BYTES,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

function timed<T>(work: () => T): { result: T; seconds: number } {
  const started = performance.now()
  const result = work()
  return { result, seconds: (performance.now() - started) / 1000 }
}

function evaluated(model: string, history: string): Cell[] {
  const { detectors } = JSON.parse(
    run('evaluate', '--model', model, '--history', history, '--json'),
  ) as Evaluation
  const mean = detectors.find(({ detector }) => detector === MODEL_NAME)?.mean
  return [mean?.auroc ?? null, mean?.averagePrecision ?? null, mean?.bestF1 ?? null]
}

const { values: given } = parseArgs({
  options: {
    sets: { type: 'string', default: 'smd/machine-1-7,js2/service0,js2/service1' },
    seed: { type: 'string', default: '1' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'examon-dec-tuned-'))
const rows: Cell[][] = []
try {
  const config = join(folder, 'tune.yaml')
  writeFileSync(config, `tune:\n  seed: ${given.seed}\n`)
  for (const set of given.sets.split(',')) {
    const [group = '', entity = ''] = set.split('/')
    const data = sharedData(group)
    if (data === null) continue
    const file = (part: string): string => join(data, `${entity}.${part}.parquet`)
    const out = (name: string): string => join(folder, `${entity}-${name}`)
    const plain = timed(() => run('bootstrap', '--history', file('train'), '--out', out('default')))
    rows.push([set, 'default', ...evaluated(out('default'), file('test')), plain.seconds])
    const search = ['tune', '--config', config, '--history', file('train'), '--out', out('tuned'), '--json']
    const tuned = timed(() => JSON.parse(run(...search)) as TuneResult)
    const { criterion, winner } = tuned.result
    const how = `tuned by ${criterion}: trial ${winner.trial}, ${winner.criterion?.toFixed(4)}`
    rows.push([set, how, ...evaluated(out('tuned'), file('test')), tuned.seconds])
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${machine()}; ${new Date().toISOString().slice(0, 10)}; seed ${given.seed}`)
console.log(
  renderTable(
    [
      { title: 'set' },
      { title: 'model' },
      { title: 'AUROC', decimals: 3 },
      { title: 'AP', decimals: 3 },
      { title: 'best F1', decimals: 3 },
      { title: 'seconds', decimals: 0 },
    ],
    rows,
  ),
)
