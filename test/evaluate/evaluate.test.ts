/** `evaluate` on simulated history with the committed bundle. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { AlarmRecord, FlagRecord } from '../../src/detect/records.ts'
import type { EvaluationDetail } from '../../src/evaluate/detail.ts'
import { CONSTANT_NAME, type Evaluation, evaluate, MODEL_NAME } from '../../src/evaluate/evaluate.ts'
import type { Figures } from '../../src/evaluate/figures.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { folder, withHistory, write } from '../history/parquet.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

const START = Date.parse('2020-03-11T00:00:00Z')
const HOUR = 3_600_000
const HOURS = 8
const NODES = ['r205n01', 'r205n02']
/** In this span the first node is far too hot, and labelled so. */
const EVENT = { from: START + 6 * HOUR, to: START + 8 * HOUR }
const WINDOW_SECONDS = 900
const PER_HOUR = 4

const bundle = openBundle(REFERENCE_BUNDLE)
const options = detectorOptions(defaultConfig().detect)
const isHot = `node = '${NODES[0]}' AND epoch_ms(timestamp) >= ${EVENT.from} AND epoch_ms(timestamp) < ${EVENT.to}`

interface Outcome {
  result: Evaluation
  detail: EvaluationDetail
  flags: FlagRecord[]
  alarms: AlarmRecord[]
}

let source = ''
before(async () => {
  const directory = folder()
  await writeHistory({
    directory,
    layout: 'samples',
    nodes: NODES.length,
    seed: 1,
    fromMs: START,
    toMs: START + HOURS * HOUR,
    faults: [],
  })
  source = join(directory, '*.parquet')
})

/** The simulated history with the hot span, and with the label that an SQL expression gives; null for none at all. */
async function run(label: string | null): Promise<Outcome> {
  const hot = `CASE WHEN ${isHot} THEN VALUE * 2 ELSE VALUE END`
  const heat = ['ambient', 'pcie', 'p0_vdd_temp'].map((name) => `${hot.replaceAll('VALUE', name)} AS ${name}`)
  const path = await write(
    folder(),
    'labelled.parquet',
    `SELECT * EXCLUDE (label) REPLACE (${heat.join(', ')})${label === null ? '' : `, (${label})::INTEGER AS label`}
     FROM '${source}'`,
  )
  const [flags, alarms]: [FlagRecord[], AlarmRecord[]] = [[], []]
  const onFlag = (flag: FlagRecord, alarm: AlarmRecord | null): void => {
    flags.push(flag)
    if (alarm !== null) alarms.push(alarm)
  }
  const { evaluation, detail } = await withHistory([path], (history) =>
    evaluate(bundle, history, options, { onFlag }),
  )
  return { result: evaluation, detail, flags, alarms }
}

function figuresOf({ result }: Outcome, node: string, detector = MODEL_NAME): Figures {
  const found = result.detectors.find((one) => one.detector === detector)?.nodes[node]
  assert.ok(found)
  return found
}

describe('labelled history', () => {
  let outcome: Outcome
  before(async () => {
    outcome = await run(`CASE WHEN ${isHot} THEN 1 ELSE 0 END`)
  })

  test('is counted window by window', () => {
    const { result, flags } = outcome
    assert.deepEqual(result.history.nodes, NODES.length)
    assert.equal(result.history.labelled, true)
    assert.equal(result.model, bundle.version)
    assert.equal(flags.length, result.windows.read)
    assert.deepEqual(result.windows, {
      read: NODES.length * HOURS * PER_HOUR,
      scored: flags.filter(({ score }) => score !== null).length,
      anomalous: 2 * PER_HOUR,
      unknown: 0,
    })
  })

  test('has the figures that follow from the flags', () => {
    for (const node of NODES) {
      const scored = outcome.flags.flatMap(({ node: of, window_start, score }) => {
        if (of !== node || score === null) return []
        const isEvent = node === NODES[0] && Date.parse(window_start) >= EVENT.from
        return [{ score, isEvent }]
      })
      const [hits, normal] = [scored.filter((w) => w.isEvent), scored.filter((w) => !w.isEvent)]
      const figures = figuresOf(outcome, node)
      const falseFlags = normal.filter(({ score }) => score >= 1).length
      const days = (normal.length * WINDOW_SECONDS) / 86_400
      assert.ok(Math.abs((figures.falseFlagsPerDay ?? Number.NaN) - falseFlags / days) < 1e-9)
      if (hits.length === 0) {
        const { auroc, averagePrecision, bestF1, recall } = figures
        assert.deepEqual({ auroc, averagePrecision, bestF1, recall }, UNDEFINED)
        continue
      }
      const found = hits.filter(({ score }) => score >= 1).length
      assert.equal(figures.recall, found / hits.length)
      assert.equal(figures.precision, found / (found + falseFlags))
      let wins = 0
      for (const a of hits)
        for (const b of normal) wins += a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0
      assert.ok(Math.abs((figures.auroc ?? 0) - wins / (hits.length * normal.length)) < 1e-12)
    }
  })
  const UNDEFINED = { auroc: null, averagePrecision: null, bestF1: null, recall: null }

  test('finds the plain fault in its first window, and raises an alarm for it', () => {
    const { auroc, averagePrecision, bestF1, recall, events, found, delaySeconds } = figuresOf(
      outcome,
      'r205n01',
    )
    assert.deepEqual(
      { auroc, averagePrecision, bestF1, recall, events, found, delaySeconds },
      {
        auroc: 1,
        averagePrecision: 1,
        bestF1: 1,
        recall: 1,
        events: 1,
        found: 1,
        delaySeconds: WINDOW_SECONDS,
      },
    )
    const { alarms } = outcome
    const alarm = alarms.find(({ node, to }) => node === 'r205n01' && to === 'anomalous')
    assert.ok(alarm)
    assert.equal(Date.parse(alarm.at), EVENT.from + options.dwell * WINDOW_SECONDS * 1000)
    const named = new Set(['ambient', 'pcie', 'p0_vdd_temp'])
    assert.ok(named.has(alarm.top[0]?.metric ?? ''), JSON.stringify(alarm.top))
  })

  test('gives the mean over the nodes where a figure is defined, and sums events', () => {
    const [first, second] = NODES.map((node) => figuresOf(outcome, node))
    assert.ok(first && second)
    const mean = outcome.result.detectors[0]?.mean
    assert.equal(mean?.auroc, first.auroc)
    assert.equal(mean?.events, first.events + second.events)
    assert.equal(mean?.falseFlagsPerDay, ((first.falseFlagsPerDay ?? 0) + (second.falseFlagsPerDay ?? 0)) / 2)
  })

  test('shows the baselines, plain and with memory, on the same windows', () => {
    const names = outcome.result.detectors.map(({ detector }) => detector)
    assert.equal(names[0], MODEL_NAME)
    assert.equal(new Set(names).size, 14)
    assert.equal(names.filter((name) => name.endsWith(' + memory')).length, 6)
    assert.equal(names.at(-1), CONSTANT_NAME)
    for (const name of names.slice(0, -1)) {
      const { auroc, events, found, recall } = figuresOf(outcome, 'r205n01', name)
      assert.ok(auroc !== null && auroc > 0.8, `${name}: ${auroc}`)
      assert.deepEqual([events, found], [1, (recall ?? 0) > 0 ? 1 : 0], name)
      // Shares of the windows that the model scored.
      const labelled = 2 * PER_HOUR
      assert.ok(Number.isInteger(Math.round((recall ?? 0) * labelled * 1e6) / 1e6), name)
    }
  })
})

test('the detail holds every window, the events, the peak of each episode and a sample of codes', async () => {
  const { result, detail, flags } = await run(`CASE WHEN ${isHot} THEN 1 ELSE 0 END`)
  const { read, scored, anomalous } = result.windows
  for (const array of [detail.node, detail.start, detail.label, detail.mode]) assert.equal(array.length, read)
  assert.deepEqual(
    detail.scores.map(({ name }) => name),
    result.detectors.map(({ detector }) => detector),
  )
  const score = detail.scores[0]?.score ?? new Float64Array(0)
  flags.forEach((flag, i) => {
    assert.equal(detail.nodes[detail.node[i] ?? -1], flag.node)
    assert.equal(detail.start[i], Date.parse(flag.window_start))
    assert.equal(detail.mode[i], flag.mode ?? -1)
    assert.equal(score[i], flag.score ?? Number.NaN)
  })
  assert.deepEqual(detail.events, [{ node: 0, startMs: EVENT.from, endMs: EVENT.to }])

  const hot = flags.filter(
    ({ node, window_start }) => node === NODES[0] && Date.parse(window_start) >= EVENT.from,
  )
  const highest = Math.max(...hot.map((flag) => flag.score ?? 0))
  const peak = detail.peaks.find(({ node, label }) => node === NODES[0] && label === 1)
  assert.equal(peak?.score, highest)
  assert.equal(peak?.shares[0]?.metric, peak?.top[0]?.metric)
  assert.deepEqual(
    detail.peaks.map((one) => one.score),
    detail.peaks.map((one) => one.score).toSorted((a, b) => b - a),
  )

  // Few windows: all of them are in the sample, in order.
  const { sample } = detail
  assert.equal(sample.window.length, scored)
  assert.equal(sample.code.length, scored * sample.size)
  assert.equal(sample.label.filter((label) => label === 1).length, anomalous)
  sample.window.forEach((window, i) => {
    assert.equal(sample.score[i], score[window])
    assert.equal(sample.mode[i], detail.mode[window])
    assert.equal(sample.label[i], detail.label[window])
  })
})

test('history without labels has no figures that need them', async () => {
  const outcome = await run(null)
  const { result, flags } = outcome
  assert.equal(result.history.labelled, false)
  assert.deepEqual(result.windows, {
    read: flags.length,
    scored: flags.filter(({ score }) => score !== null).length,
    anomalous: 0,
    unknown: flags.length,
  })
  const nothing: Figures = {
    auroc: null,
    averagePrecision: null,
    bestF1: null,
    precision: null,
    recall: null,
    falseFlagsPerDay: null,
    events: 0,
    found: 0,
    delaySeconds: null,
    intervals: {
      auroc: null,
      averagePrecision: null,
      bestF1: null,
      precision: null,
      recall: null,
      falseFlagsPerDay: null,
    },
  }
  for (const { detector, pooled, mean, nodes } of result.detectors) {
    const all = [pooled, mean, ...Object.values(nodes)]
    assert.deepEqual(all, [nothing, nothing, nothing, nothing], detector)
  }
})

test('windows whose label is not known are left out', async () => {
  // The first half of the event is not labelled.
  const half = EVENT.from + HOUR
  const { result } = await run(
    `CASE WHEN ${isHot} THEN CASE WHEN epoch_ms(timestamp) < ${half} THEN NULL ELSE 1 END ELSE 0 END`,
  )
  assert.deepEqual([result.windows.anomalous, result.windows.unknown], [PER_HOUR, PER_HOUR])
  const [model] = result.detectors
  assert.equal(model?.mean.recall, 1)
  assert.equal(model?.mean.events, 1)
})

test('a run that is called off ends with the reason', async () => {
  const abort = new AbortController()
  const running = withHistory([source], (history) =>
    evaluate(bundle, history, options, {
      onFlag: () => abort.abort(new Error('enough')),
      signal: abort.signal,
    }),
  )
  abort.abort(new Error('enough'))
  await assert.rejects(running, /enough/)
})
