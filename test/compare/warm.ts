/**
 * How many epochs a retraining needs that starts from the last model. For each real server and service a model is
 * trained on the first 70 % of the train file, then anew on its last 70 %: from nothing, and from the first model with a
 * part of the epochs. Prints the error of the network on its training windows, the time of the training, and the AUROC
 * on the test file; means over the entities, and over the seeds.
 *
 *     npx node test/compare/warm.ts [--seeds 1] [--entities smd/machine-1-6,js2/service0]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { bootstrap } from '../../src/bootstrap/bootstrap.ts'
import { modelOptions } from '../../src/bootstrap/presets.ts'
import { defaultConfig } from '../../src/config/load.ts'
import type { TrainingConfig } from '../../src/config/schema.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { renderTable } from '../../src/evaluate/table.ts'
import { openHistory } from '../../src/history/history.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { sharedData } from '../support/data.ts'
import { machine } from './machine.ts'

const ENTITIES = [
  ...['machine-1-6', 'machine-1-7', 'machine-2-1'].map((name) => `smd/${name}`),
  ...[0, 2, 4, 6, 8].map((i) => `js2/service${i}`),
]
/** Part of the train file that each of the two trainings sees. */
const SPAN = 0.7
/** Epochs of a warm start by those of a cold one; null is the cold one. */
const SHARES = [null, 0.05, 0.1, 0.25, 0.5, 1] as const

interface Outcome {
  error: number
  seconds: number
  auroc: number
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    entities: { type: 'string', default: ENTITIES.join() },
  },
})
const config = defaultConfig()
const place = mkdtempSync(join(tmpdir(), 'examon-dec-warm-'))
const progress = { step: () => ({ advance() {}, finish() {} }) }

/** Rows of a file between two shares of its time span, as a file of their own. */
async function cut(file: string, from: number, to: number, into: string): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const span = `(SELECT min(timestamp) AS a, max(timestamp) - min(timestamp) AS length FROM '${file}')`
  await connection.run(`COPY (SELECT rows.* FROM '${file}' AS rows, ${span}
    WHERE timestamp BETWEEN a + ${from} * length AND a + ${to} * length) TO '${into}' (FORMAT parquet)`)
  connection.closeSync()
  instance.closeSync()
  return into
}

async function train(
  file: string,
  out: string,
  seed: number,
  share: number | null,
  from = '',
): Promise<Outcome> {
  const history = await openHistory([file])
  const training = { ...config.training, seed }
  try {
    const started = performance.now()
    const epochs = share === null ? undefined : Math.max(1, Math.round(share * coldEpochs(from, training)))
    const result = await bootstrap({
      history,
      catalogue: null,
      training: epochs === undefined ? training : { ...training, pretrain: { ...training.pretrain, epochs } },
      out,
      progress,
      from: share === null ? undefined : from,
    })
    return {
      error: result.autoencoder.afterDec,
      seconds: (performance.now() - started) / 1000,
      auroc: Number.NaN,
    }
  } finally {
    history.close()
  }
}

/** Epochs that a cold start on as many windows as the old model's takes. */
function coldEpochs(old: string, training: TrainingConfig): number {
  const { network, training: was } = openBundle(old).manifest
  return modelOptions(training, network.widths[0] ?? 0, was.windows).pretrain.epochs
}

async function judge(bundle: string, file: string): Promise<number> {
  const history = await openHistory([file])
  try {
    const { evaluation } = await evaluate(openBundle(bundle), history, detectorOptions(config.detect))
    return evaluation.detectors[0]?.mean.auroc ?? Number.NaN
  } finally {
    history.close()
  }
}

const outcomes = SHARES.map((): Outcome[] => [])
try {
  for (const entity of values.entities.split(',')) {
    const path = sharedData(`${entity}.train.parquet`)
    if (path === null) continue
    const first = await cut(path, 0, SPAN, join(place, 'first.parquet'))
    const last = await cut(path, 1 - SPAN, 1, join(place, 'last.parquet'))
    for (let seed = 1; seed <= Number(values.seeds); seed++) {
      await train(first, join(place, 'old'), seed, null)
      for (const [i, share] of SHARES.entries()) {
        const out = join(place, 'new')
        const outcome = await train(last, out, seed, share, join(place, 'old'))
        const auroc = await judge(out, path.replace('.train.', '.test.'))
        outcomes[i]?.push({ ...outcome, auroc })
      }
    }
  }
} finally {
  rmSync(place, { recursive: true })
}
const mean = (list: Outcome[], of: (one: Outcome) => number): number =>
  list.reduce((sum, one) => sum + of(one), 0) / list.length
const cold = mean(outcomes[0] ?? [], ({ error }) => error)
console.log(
  `${machine()}; ${values.entities}; ${values.seeds} seeds; ${new Date().toISOString().slice(0, 10)}`,
)
console.log(
  renderTable(
    [
      { title: 'start' },
      { title: 'error by that of the cold start', decimals: 3 },
      { title: 'AUROC', decimals: 3 },
      { title: 'seconds', decimals: 1 },
    ],
    SHARES.map((share, i) => [
      share === null ? 'cold' : `warm, ${share} of the epochs`,
      mean(outcomes[i] ?? [], ({ error }) => error) / cold,
      mean(outcomes[i] ?? [], ({ auroc }) => auroc),
      mean(outcomes[i] ?? [], ({ seconds }) => seconds),
    ]),
  ),
)
