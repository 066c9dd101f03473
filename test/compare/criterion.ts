/**
 * Which criterion finds the models that detect best? Trains random points of the search space on the train files of the
 * reference data, judges each by several criteria that need no labels, and prints the rank correlation (Spearman) with what the
 * model does on the labelled test file.
 *
 *   npx node test/compare/criterion.ts [--trials 24] [--sets smd/machine-1-6,js2/service0] [--trace]
 *
 * `--trace` prints a line a trial with the average precision of each synthetic fault.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CalibratedModel, calibrateModel } from '../../src/bootstrap/calibrate.ts'
import { type Prepared, prepare } from '../../src/bootstrap/prepare.ts'
import { modelOptions } from '../../src/bootstrap/presets.ts'
import { scoreWindows } from '../../src/bootstrap/profiles.ts'
import type { Progress } from '../../src/bootstrap/progress.ts'
import { trainModel } from '../../src/bootstrap/train.ts'
import { dimensions } from '../../src/config/choices.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { combine, startMemory } from '../../src/detect/memory.ts'
import { auroc, averagePrecision } from '../../src/evaluate/metrics.ts'
import { silhouette } from '../../src/evaluate/silhouette.ts'
import { type Cell, renderTable } from '../../src/evaluate/table.ts'
import { openHistory } from '../../src/history/history.ts'
import { createRandom } from '../../src/model/random.ts'
import { Scorer } from '../../src/model/scorer.ts'
import { EVIDENCE } from '../../src/model/scoring.ts'
import { type FaultyWindows, injectFaults, scoreFaults } from '../../src/tune/criterion.ts'
import { FAULT_KINDS } from '../../src/tune/faults.ts'
import { drawHeldOut } from '../../src/tune/held-out.ts'
import { defaultSpace, drawTrials, withValues } from '../../src/tune/space.ts'
import { sharedData } from '../support/data.ts'
import { machine } from './machine.ts'

const SETS = [
  'smd/machine-1-6',
  'smd/machine-1-7',
  'smd/machine-2-1',
  'js2/service0',
  'js2/service1',
  'js2/service2',
]
const FAULT_SEED = 1
const silent: Progress = { step: () => ({ advance() {}, finish() {} }) }

/** By criterion, larger is better; `AUROC` and `AP` are of the test file. */
type Figures = Record<string, number>

async function measure(set: string, trials: number): Promise<Figures[]> {
  const folder = sharedData(set.split('/')[0] ?? '')
  if (folder === null) throw new Error('the reference data are not there')
  const file = (part: string): string => join(folder, `${set.split('/')[1]}.${part}.parquet`)
  const { training } = defaultConfig()
  const history = await openHistory([file('train')])
  const test = await openHistory([file('test')])
  const prepared = await prepare({ history, catalogue: null, training, progress: silent })
  try {
    const { features, rows } = prepared.rows
    // Epochs too, for a search at random may draw them, and it is by them that a loss misleads most.
    const space = dimensions(defaultSpace(features, rows))
    space.push({ key: 'pretrain.epochs', choices: { min: 5, max: 80, scale: 'log' } })
    const faulty = injectFaults(await drawHeldOut(prepared), prepared, FAULT_SEED)
    const figures: Figures[] = []
    for (const values of drawTrials(space, trials, 1)) {
      const drawn = withValues(training, values)
      const trained = await trainModel(prepared.rows, modelOptions(drawn, features, rows), 1, silent)
      const model = await calibrateModel(prepared, trained, drawn)
      const found = {
        ...(await judge(prepared, faulty, model)),
        'training loss': -(trained.losses.at(-1) ?? Number.NaN),
        ...(await detect(prepared, model, test)),
      }
      const { faults, ...columns } = found
      if (trace) console.log(JSON.stringify({ set, values, ...columns, faults }))
      figures.push(columns)
    }
    return figures
  } finally {
    await prepared.release()
    history.close()
    test.close()
  }
}

async function judge(prepared: Prepared, faulty: FaultyWindows, model: CalibratedModel) {
  const { store, selection, schema } = prepared
  const faults = await scoreFaults(faulty, model, store.features)
  const mean = (of: readonly { averagePrecision: number }[]): number =>
    of.reduce((sum, { averagePrecision: ap }) => sum + ap, 0) / of.length
  const byKind = FAULT_KINDS.map((kind): [string, number] => [
    `synthetic: ${kind}`,
    mean(faults.filter(({ fault }) => fault.kind === kind)),
  ])
  const scorer = await Scorer.create(model.model, store.features)
  let squared = 0
  const codes: number[] = []
  const modes: number[] = []
  let c = 0
  await scoreWindows(store.windows('calibration'), scorer, (scores, { rows: count }) => {
    c = scores.code.length / count
    const k = scores.q.length / count
    for (let i = 0; i < count; i++) {
      const q = scores.q.subarray(i * k, (i + 1) * k)
      modes.push(q.indexOf(Math.max(...q)))
    }
    codes.push(...scores.code)
    squared += scores.squaredResidual.reduce((a, b) => a + b, 0)
  })
  await scorer.release()
  const width = await silhouette(Float32Array.from(codes), c, modes, { random: createRandom(1) })
  return {
    synthetic: mean(faults),
    ...Object.fromEntries(byKind),
    'held-out loss': -squared / (selection.calibration * schema.transforms.length),
    silhouette: width.mean ?? -1,
    faults: Object.fromEntries(
      faults.map(({ fault, averagePrecision: ap }) => [`${fault.kind} ${fault.strength}`, ap]),
    ),
  }
}

/** AUROC and average precision on the test file, scored as the daemon does. */
async function detect(
  { schema, store, nodes }: Prepared,
  { model, calibration }: CalibratedModel,
  test: Awaited<ReturnType<typeof openHistory>>,
): Promise<Figures> {
  const scorer = await Scorer.create(model, store.features)
  const memories = test.nodes.map(() => startMemory(calibration))
  const scores: number[] = []
  const labels: number[] = []
  for await (const block of test.windows(schema, {})) {
    const node = block.node.subarray(0, block.rows).map((n) => nodes.indexOf(test.nodes[n] ?? '') + 1)
    const { evidence } = await scorer.score(block.values, node, block.rows)
    for (let i = 0; i < block.rows; i++) {
      const memory = memories[block.node[i]!]! // one a node of the history
      scores.push(combine(memory, calibration, evidence, i * EVIDENCE.length))
      labels.push(block.label[i]!) // i < rows
    }
  }
  await scorer.release()
  const known = [Float64Array.from(scores), Int8Array.from(labels)] as const
  return { AUROC: auroc(...known) ?? Number.NaN, AP: averagePrecision(...known) ?? Number.NaN }
}

/** Spearman's rank correlation: Pearson's of the ranks, equal values sharing their mean rank. */
function spearman(a: readonly number[], b: readonly number[]): number {
  const [ra, rb] = [ranks(a), ranks(b)]
  const middle = (a.length - 1) / 2
  const dot = (x: number[], y: number[]): number =>
    x.reduce((sum, v, i) => sum + (v - middle) * ((y[i] ?? 0) - middle), 0)
  return dot(ra, rb) / Math.sqrt(dot(ra, ra) * dot(rb, rb))
}

function ranks(values: readonly number[]): number[] {
  return values.map(
    (v) => values.filter((w) => w < v).length + (values.filter((w) => w === v).length - 1) / 2,
  )
}

const { values: given } = parseArgs({
  options: {
    trials: { type: 'string', default: '24' },
    sets: { type: 'string', default: SETS.join() },
    trace: { type: 'boolean', default: false },
  },
})
const { trace } = given
console.log(`${machine()}; ${new Date().toISOString().slice(0, 10)}; ${given.trials} random trials a set`)
const rows: Cell[][] = []
const sums = new Map<string, number[]>()
for (const set of given.sets.split(',')) {
  const figures = await measure(set, Number(given.trials))
  const column = (name: string): number[] => figures.map((f) => f[name] ?? Number.NaN)
  const best = (name: string): number => {
    const by = column(name)
    return column('AUROC')[by.indexOf(Math.max(...by))] ?? Number.NaN
  }
  const names = Object.keys(figures[0] ?? {}).filter((name) => name !== 'AUROC' && name !== 'AP')
  for (const name of names) {
    const cells = [
      spearman(column(name), column('AUROC')),
      spearman(column(name), column('AP')),
      best(name),
      column('AUROC').reduce((a, b) => a + b, 0) / figures.length,
      Math.max(...column('AUROC')),
    ]
    rows.push([set, name, ...cells])
    sums.set(
      name,
      cells.map((cell, i) => cell + (sums.get(name)?.[i] ?? 0)),
    )
  }
}
const count = given.sets.split(',').length
for (const [name, cells] of sums) rows.push([`mean of ${count}`, name, ...cells.map((cell) => cell / count)])
console.log(
  renderTable(
    [
      { title: 'set' },
      { title: 'criterion' },
      { title: 'ρ with AUROC', decimals: 2 },
      { title: 'ρ with AP', decimals: 2 },
      { title: 'AUROC of its best', decimals: 3 },
      { title: 'mean AUROC', decimals: 3 },
      { title: 'best AUROC', decimals: 3 },
    ],
    rows,
  ),
)
