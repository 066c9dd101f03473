/** The detector on the committed bundle and its windows: a quiet stretch and the beginning of a fault. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { Ajv } from 'ajv'
import { Detector, type DetectorOptions, type NodeFacts, type NodeState } from '../../src/detect/detector.ts'
import { AlarmRecordSchema, FlagRecordSchema } from '../../src/detect/record-schemas.ts'
import type { AlarmRecord, FlagRecord } from '../../src/detect/records.ts'
import { parseNodeState } from '../../src/engine/node-state.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { Scorer } from '../../src/model/scorer.ts'
import type { WindowBlock } from '../../src/windows/block.ts'
import { featureCount } from '../../src/windows/schema.ts'
import { REFERENCE_BUNDLE, REFERENCE_WINDOWS, type ReferenceWindows } from '../support/reference.ts'

const OPTIONS: DetectorOptions = { minCoverage: 0.5, dwell: 2, clear: 2, warmup: 2, top: 5 }
const bundle = openBundle(REFERENCE_BUNDLE)
const { schema } = bundle.manifest
const d = featureCount(schema)
const { windows } = JSON.parse(readFileSync(REFERENCE_WINDOWS, 'utf8')) as ReferenceWindows
const rows = windows.length
const block: WindowBlock = {
  rows,
  node: new Int32Array(rows),
  start: Float64Array.from(windows, ({ startMs }) => startMs),
  values: Float64Array.from(windows.flatMap(({ values }) => values.map((v) => v ?? Number.NaN))),
  counts: new Uint16Array(rows * schema.metrics.length),
  label: new Int8Array(rows),
}
const scorer = await Scorer.create(bundle.model, d)
after(() => scorer.release())
const scores = await scorer.score(
  block.values,
  Int32Array.from(windows, ({ node }) => bundle.manifest.scaler.nodes.indexOf(node) + 1),
  rows,
)

const isFlag = new Ajv().compile(FlagRecordSchema)
const isAlarm = new Ajv().compile(AlarmRecordSchema)
const endOf = (row: number): number => block.start[row]! + schema.lengthSeconds * 1000

/** What happens around a window: single ones are muted, follow a reboot, or lack all or most of their samples. */
function circumstances(row: number): { facts: NodeFacts; coverage: number } {
  const facts = {
    node: windows[row]!.node,
    rack: row < 4 ? null : '205',
    muted: row === 12,
    rebooted: row === 8,
  }
  return { facts, coverage: row === 15 ? 0 : row === 20 ? 0.25 : 1 }
}

function take(detector: Detector, row: number): { flag: FlagRecord; alarm: AlarmRecord | null } {
  const { facts, coverage } = circumstances(row)
  return detector.take(facts, block, row, coverage, detector.isScorable(coverage) ? scores : null, row)
}

const all = [...windows.keys()]
const takeAll = (detector: Detector, from = 0) => all.slice(from).map((row) => take(detector, row))

test('every window gives a valid flag, every change of state a valid alarm that continues the last', () => {
  const records = takeAll(new Detector(bundle, OPTIONS))
  const states = new Map<string, { state: string; since: string }>()
  let alarms = 0
  for (const { flag, alarm } of records) {
    assert.ok(isFlag(flag), JSON.stringify(isFlag.errors))
    assert.equal(flag.anomalous, flag.score !== null && flag.score >= 1)
    assert.equal(flag.model, bundle.version)
    const before = states.get(flag.node)
    states.set(flag.node, flag)
    if (before === undefined) continue
    assert.equal(alarm !== null, flag.state !== before.state)
    if (alarm === null) continue
    alarms++
    assert.ok(isAlarm(alarm), JSON.stringify(isAlarm.errors))
    assert.deepEqual(
      [alarm.from, alarm.since, alarm.to, alarm.at, alarm.score],
      [before.state, before.since, flag.state, flag.window_end, flag.score],
    )
    assert.equal(flag.since, flag.window_end)
  }
  assert.ok(alarms > 3, `${alarms} alarms`)
})

test('the table holds windows on both sides of the threshold', () => {
  const flags = takeAll(new Detector(bundle, OPTIONS)).map(({ flag }) => flag)
  assert.ok(flags.some(({ anomalous }) => anomalous))
  assert.ok(flags.some(({ score }) => score !== null && score < 1))
})

test('a window that is not scored says so, and its node waits or falls silent', () => {
  const detector = new Detector(bundle, { ...OPTIONS, dwell: 1, warmup: 0 })
  const flags = takeAll(detector).map(({ flag }) => flag)
  assert.deepEqual(
    [flags[15]?.state, flags[20]?.state, flags[12]?.state],
    ['silent', 'insufficient', 'muted'],
  )
  for (const row of [15, 20]) {
    const { score, p, mode, q, top, anomalous } = flags[row]!
    assert.deepEqual({ score, p, mode, q, top, anomalous }, UNSCORED)
  }
})
const UNSCORED = { score: null, p: null, mode: null, q: null, top: [], anomalous: false }

test('named metrics are those with the largest shares', () => {
  const [wide, narrow] = [schema.metrics.length, 3].map((top) =>
    takeAll(new Detector(bundle, { ...OPTIONS, top })).map(({ flag }) => flag),
  )
  assert.ok(wide && narrow)
  for (const [row, { top }] of wide.entries()) {
    if (top.length === 0) continue
    assert.equal(top.length, schema.metrics.length)
    assert.deepEqual(narrow[row]?.top, top.slice(0, 3))
    const shares = top.map(({ share }) => share)
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => b - a),
    )
    const sum = shares.reduce((a, b) => a + b, 0)
    assert.ok(sum > 0.99 && sum < 1.01, `shares of window ${row} sum to ${sum}`)
    for (const { metric, statistic, observed } of top) {
      const m = schema.metrics.findIndex(({ name }) => name === metric)
      const s = (schema.statistics as string[]).indexOf(statistic)
      const raw = block.values[row * d + m * schema.statistics.length + s]!
      assert.equal(observed, Number.isNaN(raw) ? null : raw)
    }
  }
})

describe('state', () => {
  const nodes = [...new Set(windows.map(({ node }) => node))]
  const whole = takeAll(new Detector(bundle, OPTIONS))

  test('taken out as JSON at any window and put into another detector, goes on with the same records', () => {
    for (const cut of all) {
      const first = new Detector(bundle, OPTIONS)
      for (const row of all.slice(0, cut)) take(first, row)
      const second = new Detector(bundle, OPTIONS)
      for (const node of nodes) {
        const state = first.export(node)
        if (state === null) continue
        const stored = parseNodeState(JSON.parse(JSON.stringify({ ...state, partition: 3 })))
        assert.ok(stored)
        const { partition, ...copy } = stored
        assert.equal(partition, 3)
        assert.deepEqual(copy, state)
        second.import(node, copy)
      }
      assert.deepEqual(takeAll(second, cut), whole.slice(cut))
    }
  })

  test('knows which windows were flagged, and of which nodes', () => {
    const detector = new Detector(bundle, OPTIONS)
    const { node } = windows[0]!
    assert.deepEqual(
      [detector.knows(node), detector.isEmitted(node, endOf(0)), detector.export(node)],
      [false, false, null],
    )
    take(detector, 0)
    assert.deepEqual(
      [0, 1, -1].map((ms) => detector.isEmitted(node, endOf(0) + ms)),
      [true, false, true],
    )
    assert.equal(detector.knows(node), true)
  })

  test('what was exported does not move with the node', () => {
    const detector = new Detector(bundle, OPTIONS)
    const { node } = windows[0]!
    take(detector, 0)
    const state = detector.export(node)
    const copy = structuredClone(state)
    takeAll(detector, 1)
    assert.deepEqual(state, copy)
  })

  test('of another model keeps the alarm and starts the memory anew', () => {
    const detector = new Detector(bundle, OPTIONS)
    const { node } = windows[0]!
    const alarm = { state: 'anomalous', sinceMs: 5, over: 7, under: 0, unscored: 0, warmup: 0 } as const
    const old: NodeState = {
      emittedToMs: 1,
      seenMs: 1,
      memory: bundle.manifest.calibration.centre.map(() => 1000),
      alarm,
      rack: null,
      muted: false,
      model: '0123456789ab',
    }
    detector.import(node, old)
    assert.deepEqual(detector.export(node)?.alarm, alarm)
    const fresh = take(new Detector(bundle, OPTIONS), 0).flag.score
    assert.equal(take(detector, 0).flag.score, fresh)
  })

  test('of nodes that have been quiet for too long is dropped', () => {
    const detector = new Detector(bundle, OPTIONS)
    const { node } = windows[0]!
    take(detector, 0)
    const silence = { node, rack: null, muted: false, rebooted: false }
    const later = { ...block, start: block.start.map((start) => start + 86_400_000) }
    detector.take(silence, later, 0, 0, null, 0)
    assert.deepEqual(detector.forget(endOf(0)), [])
    assert.deepEqual(detector.forget(endOf(0) + 1), [node])
    assert.equal(detector.knows(node), false)
  })

  test('that is none of this version is refused', () => {
    const detector = new Detector(bundle, OPTIONS)
    take(detector, 0)
    const good = { ...detector.export(windows[0]!.node), partition: 0 }
    assert.ok(parseNodeState(good))
    for (const [key, value] of [
      ['memory', 'none'],
      ['alarm', { state: 'normal' }],
      ['emittedToMs', null],
      ['model', undefined],
      ['partition', undefined],
    ] as const) {
      assert.equal(parseNodeState({ ...good, [key]: value }), null, key)
    }
    assert.equal(parseNodeState(null), null)
  })
})

test('only windows with enough coverage are scored', () => {
  const strict = new Detector(bundle, OPTIONS)
  assert.deepEqual(
    [0, 0.49, 0.5, 1].map((share) => strict.isScorable(share)),
    [false, false, true, true],
  )
  const lax = new Detector(bundle, { ...OPTIONS, minCoverage: 0 })
  assert.deepEqual(
    [0, 0.01].map((share) => lax.isScorable(share)),
    [false, true],
  )
})
