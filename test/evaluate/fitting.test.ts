/** What baselines are fitted on, and what `evaluate` says of history that does not fit the model; on a small trained model. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import { type Evaluation, evaluate, MODEL_NAME } from '../../src/evaluate/evaluate.ts'
import { evaluationText } from '../../src/evaluate/evaluation-text.ts'
import { bundledWindows, windowsOfHistory } from '../../src/evaluate/fitting.ts'
import { type Bundle, openBundle } from '../../src/model/bundle.ts'
import { place, run, writeMachine } from '../bootstrap/machine.ts'
import { folder, withHistory, write } from '../history/parquet.ts'

const options = detectorOptions(defaultConfig().detect)
/** Of the machine's five metrics. */
const METRICS = ['power', 'cpu_temp', 'ambient', 'cpu_user', 'fan']
/** Labels of its windows: a fault of two hours in the second day. */
const FAULT = 'CASE WHEN i BETWEEN 1800 AND 1919 THEN 1 ELSE 0 END'

let history = ''
let bundle: Bundle
before(async () => {
  history = await writeMachine({ hours: 60 })
  const { out } = await run(history, place().out, {
    hidden: [16],
    code: 2,
    centres: 2,
    pretrain: { epochs: 40, batch: 16 },
  })
  bundle = openBundle(out)
})

/** Rows as text, sorted, so that the order in which they were drawn does not count. */
function sorted(rows: Float32Array, d: number): string[] {
  return Array.from({ length: rows.length / d }, (_, i) => rows.subarray(i * d, (i + 1) * d).join()).sort()
}

test('the windows of the history are those that a bundle of few windows keeps', async () => {
  const kept = bundledWindows(bundle)
  const read = await withHistory([history], (opened) => windowsOfHistory(bundle, opened))
  assert.equal(read.features, METRICS.length * 4)
  assert.equal(kept.train.length / kept.features, bundle.manifest.training.windows)
  assert.equal(kept.calibration.node.length, bundle.manifest.calibration.windows)
  assert.deepEqual(sorted(read.train, read.features), sorted(kept.train, kept.features))
  assert.deepEqual(sorted(read.calibration.rows, read.features), sorted(kept.calibration.rows, kept.features))
  // Windows of a node stay in the order of time: read ones alternate between the nodes, kept ones come node by node.
  for (const node of [0, 1]) {
    const of = ({ rows, node: nodes }: typeof read.calibration): string[] =>
      [...nodes].flatMap((n, i) =>
        n === node ? [rows.subarray(i * read.features, (i + 1) * read.features).join()] : [],
      )
    assert.deepEqual(of(read.calibration), of(kept.calibration))
  }
})

test('another history is refused, whether it has other values or other windows', async () => {
  const hotter = await writeMachine({ hours: 60, load: '(i // 170 + n) % 2 * 1.5' })
  await assert.rejects(
    withHistory([hotter], (opened) => windowsOfHistory(bundle, opened)),
    /--train is not the history that the model was trained on: the window at .* lies outside of the range/,
  )
  const short = await write(folder(), 'short.parquet', `SELECT * FROM '${history}' LIMIT 5000`)
  await assert.rejects(
    withHistory([short], (opened) => windowsOfHistory(bundle, opened)),
    /it has \d+ windows to train on up to .* and 0 to calibrate on, the model had \d+ and \d+/,
  )
})

/** Evaluates rows that a query makes of the machine's, `*` and a label. */
async function judge(query: (file: string) => string, label: string | null = FAULT): Promise<Evaluation> {
  const source = await writeMachine({ hours: 48, label })
  const file = await write(folder(), 'test.parquet', query(source))
  const judged = await withHistory([file], (opened) => evaluate(bundle, opened, options))
  assert.ok(!evaluationText(judged.evaluation, true).includes('NaN'))
  return judged.evaluation
}
const all = (file: string): string => `SELECT * FROM '${file}'`
const modelOf = ({ detectors }: Evaluation) => {
  const model = detectors.find(({ detector }) => detector === MODEL_NAME)
  assert.ok(model)
  return model
}

describe('history that does not say all', () => {
  test('labels of both classes need no note', async () => {
    assert.deepEqual((await judge(all)).notes, [])
  })

  test('no window is anomalous', async () => {
    const evaluation = await judge(all, '0')
    assert.match(
      evaluation.notes.join(),
      /no scored window is labelled anomalous: AUROC, AP, best F1 and recall are/,
    )
    const { auroc, averagePrecision, recall, falseFlagsPerDay } = modelOf(evaluation).pooled
    assert.deepEqual([auroc, averagePrecision, recall], [null, null, null])
    assert.notEqual(falseFlagsPerDay, null)
  })

  test('every window is anomalous', async () => {
    const evaluation = await judge(all, '1')
    assert.match(evaluation.notes.join(), /every scored window is labelled anomalous: AUROC and false flags/)
    const { auroc, recall, falseFlagsPerDay } = modelOf(evaluation).pooled
    assert.deepEqual([auroc, falseFlagsPerDay], [null, null])
    assert.notEqual(recall, null)
  })

  test('no labels, or none that is known', async () => {
    assert.match((await judge(all, null)).notes.join(), /the history has no labels: figures that need them/)
    assert.match((await judge(all, 'NULL::INTEGER')).notes.join(), /no scored window has a label/)
  })

  test('a metric without any value is named, be it NULL, NaN or not there', async () => {
    const named = /1 of the model's 5 metrics have no value in this history \(fan\); they count as missing/
    const changes = ['REPLACE (NULL::DOUBLE AS fan)', "REPLACE ('NaN'::DOUBLE AS fan)", 'EXCLUDE (fan)']
    for (const change of changes) {
      const evaluation = await judge((file) => `SELECT * ${change} FROM '${file}'`)
      assert.match(evaluation.notes.join(), named)
      assert.ok(evaluation.windows.scored > 0 && modelOf(evaluation).pooled.auroc !== null)
    }
  })

  test('nodes that the model does not know are named', async () => {
    const { notes } = await judge(
      (file) => `SELECT * REPLACE (replace(node, 'r1n1', 'r9n1') AS node) FROM '${file}'`,
    )
    assert.match(notes.join(), /1 of 2 nodes are not known to the model \(r9n1\)/)
  })

  test('a machine that no longer does what the model knows is told apart from one with faults', async () => {
    const { notes } = await judge(
      (file) => `SELECT * REPLACE (power * 3 AS power, ambient + 15 AS ambient) FROM '${file}'`,
    )
    assert.match(
      notes.join(),
      /100 % of the windows not labelled anomalous are stranger than every calibration window/,
    )
  })

  test('anomalous windows that are too thin to be scored are counted', async () => {
    const { notes } = await judge((file) => {
      const values = METRICS.map((name) => `CASE WHEN label = 1 THEN NULL ELSE ${name} END AS ${name}`)
      // One sample a window is left of one metric, so that the window is there.
      const first = `CASE WHEN label = 1 AND epoch(timestamp) % 900 > 0 THEN NULL ELSE power END AS power`
      return `SELECT * REPLACE (${[first, ...values.slice(1)].join(', ')}) FROM '${file}'`
    })
    assert.match(notes.join(), /16 windows labelled anomalous have too few samples to be scored/)
  })
})

describe('history that can not be judged', () => {
  const refused = (query: (file: string) => string, reason: RegExp) => assert.rejects(judge(query), reason)

  test('metrics of another machine', async () => {
    const renamed = METRICS.map((name) => `${name} AS other_${name}`).join(', ')
    await refused(
      (file) => `SELECT timestamp, node, label, ${renamed} FROM '${file}'`,
      /none of the metrics asked for is in the history: power, cpu_temp, .* it holds other_power/,
    )
  })

  test('too few of its metrics', async () => {
    await refused(
      (file) => `SELECT timestamp, node, label, power, fan FROM '${file}'`,
      /none of 384 windows reaches a coverage of 0.75 \(detect.min_coverage\).* has no value of 3 of the model's 5 metrics: cpu_temp, ambient, cpu_user; it holds power, fan/,
    )
  })

  test('too few samples of each', async () => {
    await refused(
      (file) => `SELECT * FROM '${file}' WHERE epoch(timestamp) % 900 = 0`,
      /none of 384 windows reaches a coverage of 0.75 .*: every metric is there, but with too few samples a window/,
    )
  })

  test('no rows', async () => {
    await refused((file) => `SELECT * FROM '${file}' WHERE false`, /the file holds no rows/)
  })

  test('a label that is none', async () => {
    await refused(
      (file) => `SELECT * REPLACE (label + 4 AS label) FROM '${file}'`,
      /column label holds [45]; allowed are/,
    )
  })
})
