/** The pipeline on records of the simulator, scored by the committed bundle. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import pino from 'pino'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { FlagRecord } from '../../src/detect/records.ts'
import { parseNodeState, type StoredState } from '../../src/engine/node-state.ts'
import { type Emission, Pipeline, type PipelineOptions } from '../../src/engine/pipeline.ts'
import { FORMS } from '../../src/examon/forms/form.ts'
import { type Bundle, openBundle } from '../../src/model/bundle.ts'
import { Scorer } from '../../src/model/scorer.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { checkTopic } from '../../src/simulator/topics.ts'
import { SimulatorSource } from '../../src/sources/simulator.ts'
import type { SourceRecord } from '../../src/sources/source.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { featureCount } from '../../src/windows/schema.ts'
import { allRecords } from '../support/drain.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'
import { rewrap } from '../support/rewrap.ts'

const START = Date.parse('2020-03-11T00:00:00Z')
const HOUR = 3_600_000
const HOURS = 4
const QUARTER = HOUR / 4
const LATENESS = 60_000
const NOW = START + 365 * 24 * HOUR

const bundle = openBundle(REFERENCE_BUNDLE)
const scorer = await Scorer.create(bundle.model, featureCount(bundle.manifest.schema))
after(() => scorer.release())
const machine = new Machine({ nodes: 3, seed: 4, startMs: START, faults: [] })
const NODES = machine.nodes.map(({ name }) => name)
const source = new SimulatorSource({ machine, speed: 'max', endMs: START + HOURS * HOUR })
const records = await allRecords(source)

/** The model with windows that overlap. */
function withEvery(everySeconds: number): Bundle {
  const { manifest } = bundle
  return { ...bundle, manifest: { ...manifest, schema: { ...manifest.schema, everySeconds } } }
}

const { minCoverage } = detectorOptions(defaultConfig().detect)

/** A pipeline with the newest time that it was told of. */
function open(changes: Partial<PipelineOptions> = {}, model = bundle) {
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: 'test' })
  const { detect } = defaultConfig()
  const options = {
    ...detectorOptions(detect),
    futureSkewMs: 600_000,
    forgetAfterMs: 24 * HOUR,
    latenessMs: LATENESS,
    isWhole: true,
    ...changes,
  }
  const clock = { newestMs: Number.NEGATIVE_INFINITY }
  const pipeline = new Pipeline(model, scorer, telemetry, options, (_partition, timeMs) => {
    clock.newestMs = Math.max(clock.newestMs, timeMs)
    return clock.newestMs
  })
  return { pipeline, telemetry, clock, drops: telemetry.status.daemon.drops }
}

/** Feeds records in batches as the engine does; what came out of each turn, with the offset that a restart needs. */
async function drive(
  { pipeline, clock }: ReturnType<typeof open>,
  fed: readonly SourceRecord[],
  batch = 2000,
): Promise<{ emission: Emission; restartAt: number }[]> {
  const turns: { emission: Emission; restartAt: number }[] = []
  const note = (emission: Emission, position: number): void => {
    if (emission.flags.length === 0) return
    turns.push({ emission, restartAt: Math.min(position, pipeline.neededOffsets().get(0) ?? position) })
  }
  for (let at = 0; at < fed.length; at += batch) {
    const part = fed.slice(at, at + batch)
    pipeline.ingest(part, NOW)
    note(await pipeline.close(clock.newestMs - LATENESS), part.at(-1)!.offset + 1)
  }
  note(await pipeline.close(Number.MAX_SAFE_INTEGER), fed.at(-1)!.offset + 1)
  return turns
}

const flagsOf = (turns: { emission: Emission }[]): FlagRecord[] =>
  turns.flatMap(({ emission }) => emission.flags)
const keyOf = ({ node, window_start }: FlagRecord): string => `${window_start} ${node}`
const timeOf = ({ value }: SourceRecord): number => 1000 * Number(String(value).split(';').at(-1))

/** States to be kept; no node is forgotten in these tests unless they say so. */
const storedOf = ({ states }: Emission): Map<string, StoredState> =>
  new Map([...states].flatMap(([node, state]) => (state === null ? [] : [[node, state] as const])))

/** Samples as node-keyed JSON, one record each, offsets from 0. */
function json(
  samples: readonly { node: string; metric: string; timeMs: number; rack?: string }[],
  partition = 0,
) {
  return samples.map(
    ({ timeMs, ...sample }, offset): SourceRecord => ({
      key: Buffer.from(sample.node),
      value: Buffer.from(JSON.stringify({ ...sample, value: 20, timestamp: timeMs })),
      partition,
      offset,
    }),
  )
}

test('the same samples in every form, mixed, give the same flags', async () => {
  const some = records.filter((record) => timeOf(record) < START + 3 * QUARTER)
  const mixed = some.map((record, i) => rewrap(record, FORMS[i % FORMS.length]!)) // i % length < length
  const expected = flagsOf(await drive(open(), some))
  assert.ok(expected.filter(({ score }) => score !== null).length >= 2 * NODES.length)
  assert.deepEqual(flagsOf(await drive(open(), mixed)), expected)
  for (const form of FORMS) {
    const one = some.map((record) => rewrap(record, form))
    assert.deepEqual(flagsOf(await drive(open({ form }), one)), expected, form)
  }
})

for (const every of [900, 300]) {
  describe(`windows of 900 s every ${every} s`, () => {
    const model = withEvery(every)
    const starts = Array.from({ length: (HOURS * HOUR + 900_000 - every * 1000) / (every * 1000) }, (_, i) =>
      new Date(START - 900_000 + (i + 1) * every * 1000).toISOString(),
    )

    test('every window of every node has one flag, in order of time', async () => {
      const flags = flagsOf(await drive(open({}, model), records))
      assert.deepEqual(
        flags.map(keyOf),
        starts.flatMap((start) => NODES.map((node) => `${start} ${node}`)),
      )
      for (const flag of flags) {
        assert.equal(flag.rack, '205')
        // Windows at either end are cut by the span and hold less.
        assert.equal(flag.score !== null, flag.coverage >= minCoverage)
      }
      const whole = flags.filter(({ coverage }) => coverage > 0.9)
      assert.ok(whole.length >= 3 * (4 * HOURS - 1), `${whole.length} whole windows`)
    })

    test('a restart at any turn, with other batches, goes on with the same flags and alarms', async () => {
      const turns = await drive(open({}, model), records)
      const states = new Map<string, StoredState>()
      for (const [t, { emission, restartAt }] of turns.entries()) {
        for (const [node, state] of storedOf(emission)) states.set(node, state)
        // Some turns are enough: at the beginning, in the middle, at the end.
        if (t % 7 !== 0 && t !== turns.length - 1) continue
        const stored = JSON.parse(JSON.stringify([...states])) as [string, unknown][]
        const again = open({}, model)
        again.pipeline.restore(new Map(stored.map(([node, state]) => [node, parseNodeState(state)!])), [0])
        const rest = records.filter(({ offset }) => offset >= restartAt)
        const replayed = rest.length === 0 ? [] : await drive(again, rest, 777)
        assert.deepEqual(flagsOf(replayed), flagsOf(turns.slice(t + 1)))
        assert.deepEqual(
          replayed.flatMap((turn) => turn.emission.alarms),
          turns.slice(t + 1).flatMap((turn) => turn.emission.alarms),
        )
      }
    })
  })
}

test('states name the partition, and only those of own partitions are taken up', async () => {
  const [first] = await drive(open(), records.slice(0, 60_000))
  assert.ok(first)
  const states = storedOf(first.emission)
  assert.deepEqual([...states.keys()], NODES)
  assert.ok([...states.values()].every(({ partition, model }) => partition === 0 && model === bundle.version))
  const [mine = '', theirs = ''] = NODES
  states.set(theirs, { ...states.get(theirs)!, partition: 5 })
  const member = open()
  member.pipeline.restore(states, [0, 1])
  const end = states.get(mine)!.emittedToMs
  const flags = flagsOf(await drive(member, json([{ node: mine, metric: 'ambient', timeMs: end }])))
  assert.deepEqual(
    flags.map(({ node }) => node),
    NODES.filter((node) => node !== theirs),
  )
})

test('a node whose samples come from several partitions is told once, and stops readiness where members share them', () => {
  for (const isWhole of [true, false]) {
    const { pipeline, telemetry } = open({ isWhole })
    telemetry.ready()
    const at = (node: string, partition: number) =>
      json([{ node, metric: 'ambient', timeMs: START + 1000 * partition }], partition)
    pipeline.ingest([...at('a', 0), ...at('b', 1), ...at('a', 0)], NOW)
    assert.equal(telemetry.status.daemon.ready, true)
    pipeline.ingest([...at('a', 2), ...at('a', 0), ...at('a', 1)], NOW)
    assert.equal(telemetry.status.daemon.ready, isWhole)
    if (!isWhole)
      assert.match(
        telemetry.status.daemon.reason ?? '',
        /node a come from partitions 0 and 2.*key the topic by node/,
      )
  }
})

test('samples from the future are dropped, counted, and move no clock', () => {
  const { pipeline, clock, drops, telemetry } = open()
  const now = START + HOUR
  const limit = now + 600_000
  const beyond = records.filter((record) => String(record.key).includes('ipmi_pub') && timeOf(record) > limit)
  pipeline.ingest(
    records.filter((record) => String(record.key).includes('ipmi_pub')),
    now,
  )
  assert.ok(beyond.length > 0)
  assert.equal(drops.future, beyond.length)
  assert.ok(clock.newestMs <= limit && clock.newestMs > limit - 60_000)
  assert.equal(telemetry.status.daemon.drops.late, 0)
})

test('what is late, repeated or of no metric is counted by its reason', async () => {
  const { pipeline, drops } = open()
  const sample = { node: 'n', metric: 'ambient', timeMs: START }
  pipeline.ingest(json([sample, sample, { ...sample, metric: 'no_such_metric' }]), NOW)
  await pipeline.close(START + QUARTER)
  pipeline.ingest(json([{ ...sample, timeMs: START + 1 }]), NOW)
  const { duplicate, unknown_metric, late, ...others } = drops
  assert.deepEqual({ duplicate, unknown_metric, late }, { duplicate: 1, unknown_metric: 1, late: 1 })
  assert.ok(Object.values(others).every((count) => count === 0))
})

test('a drained node is muted, and back in service learns nothing anew', async () => {
  const drained = machine.nodes[1]!
  const notice = (isDrained: boolean, timeMs: number): SourceRecord => ({
    key: Buffer.from(checkTopic(drained, isDrained)),
    value: Buffer.from(`0;${timeMs / 1000}`),
    partition: 0,
    offset: 0,
  })
  const { name } = drained
  // The scheduler's own checks stay out.
  const fed = records.filter(({ key }) => !String(key).includes('nagios_pub'))
  const from = fed.findIndex((record) => timeOf(record) > START + 1.6 * HOUR)
  const to = fed.findIndex((record) => timeOf(record) > START + 2.6 * HOUR)
  const run = open()
  const inOrder = [
    ...fed.slice(0, from),
    notice(true, START + 1.6 * HOUR),
    ...fed.slice(from, to),
    notice(false, START + 2.6 * HOUR),
    ...fed.slice(to),
  ].map((record, offset) => ({ ...record, offset }))
  const flags = flagsOf(await drive(run, inOrder, 100))
  const muted = flags.filter(({ state }) => state === 'muted')
  assert.deepEqual(
    muted.map(keyOf),
    [1.5, 1.75, 2, 2.25].map((hour) => `${new Date(START + hour * HOUR).toISOString()} ${name}`),
  )
  assert.ok(muted.every(({ score }) => score !== null))
  const after = flags.find((flag) => flag.node === name && flag.window_start > muted.at(-1)!.window_start)
  assert.notEqual(after?.state, 'learning')
})

test('a node without samples falls silent, is forgotten, and is new when it comes back', async () => {
  const [gone = ''] = NODES
  const isGone = (record: SourceRecord): boolean => String(record.key).includes(`/node/${gone}/`)
  const absence = { fromMs: START + HOUR, toMs: START + 3 * HOUR }
  const fed = records.filter(
    (record) => !isGone(record) || timeOf(record) < absence.fromMs || timeOf(record) >= absence.toMs,
  )
  const turns = await drive(open({ forgetAfterMs: HOUR }), fed)
  const flags = flagsOf(turns).filter(({ node }) => node === gone)
  const hours = flags.map(
    ({ window_start, state }) => [(Date.parse(window_start) - START) / HOUR, state] as const,
  )
  assert.deepEqual(
    hours.filter(([hour]) => hour >= 1),
    [
      // Two windows are needed to call it silent; an hour of silence, and it is gone.
      [1, 'learning'],
      ...[1.25, 1.5, 1.75, 2].map((hour) => [hour, 'silent']),
      ...[3, 3.25, 3.5, 3.75].map((hour) => [hour, 'learning']),
    ],
  )
  assert.deepEqual(
    turns.flatMap(({ emission }) => emission.forgotten),
    [gone],
  )
  const leaving = turns.find(({ emission }) => emission.forgotten.length > 0)
  assert.equal(leaving?.emission.states.get(gone), null, 'what is stored of it is deleted')
})

test('what is late does not depend on when windows are closed', () => {
  const late = { node: 'n', metric: 'ambient', timeMs: START + QUARTER - 1 }
  const ahead = (ms: number) => ({ node: 'n', metric: 'pcie', timeMs: START + QUARTER + LATENESS + ms })
  for (const [ms, drops] of [
    [-1, 0],
    [0, 1],
  ] as const) {
    const run = open()
    run.pipeline.ingest(json([ahead(ms), late]), NOW)
    assert.equal(run.drops.late, drops)
  }
})

test('a change of boot time or of maintenance across a restart counts for the window that it belongs to', async () => {
  const node = machine.nodes[0]!
  const boot = (timeMs: number, seconds: number, offset: number): SourceRecord => ({
    ...json([{ node: node.name, metric: 'boottime', timeMs }])[0]!,
    value: Buffer.from(JSON.stringify({ metric: 'boottime', value: seconds, timestamp: timeMs })),
    offset,
  })
  const drained = (timeMs: number, offset: number): SourceRecord => ({
    key: Buffer.from(checkTopic(node, true)),
    value: Buffer.from(`0;${timeMs / 1000}`),
    partition: 0,
    offset,
  })
  const sample = (timeMs: number, offset: number): SourceRecord => ({
    ...json([{ node: node.name, metric: 'ambient', timeMs }])[0]!,
    offset,
  })
  const fed = [
    boot(START + 1, 1000, 0),
    sample(START + 2, 1),
    // Before any sample of its window: what a restart reads must begin here.
    drained(START + QUARTER + 2, 2),
    boot(START + QUARTER + 3, 5000, 3),
    sample(START + QUARTER + 4, 4),
    sample(START + 2 * QUARTER, 5),
  ]
  const whole = open()
  whole.pipeline.ingest(fed.slice(0, 5), NOW)
  const first = await whole.pipeline.close(START + QUARTER)
  assert.equal(whole.pipeline.neededOffsets().get(0), 2)
  assert.deepEqual(
    first.flags.map(({ state }) => state),
    ['learning'],
  )
  assert.deepEqual(first.states.get(node.name)?.boot, { seconds: 1000, timeMs: START + 1 })
  const rest = await whole.pipeline.close(START + 2 * QUARTER)
  const again = open()
  again.pipeline.restore(storedOf(first), [0])
  again.pipeline.ingest(fed.slice(2), NOW)
  const replayed = await again.pipeline.close(START + 2 * QUARTER)
  assert.equal(replayed.flags[0]?.state, 'muted')
  assert.equal(replayed.states.get(node.name)?.alarm.warmup, first.states.get(node.name)!.alarm.warmup)
  assert.deepEqual(replayed, rest)
})

test('the rack is that of the first topic that names one', async () => {
  const { pipeline } = open()
  const at = (metric: string, timeMs: number, rack?: string) => ({
    node: 'login1',
    metric,
    timeMs,
    ...(rack === undefined ? {} : { rack }),
  })
  pipeline.ingest(json([at('ambient', START), at('pcie', START, 'A7'), at('ambient', START + QUARTER)]), NOW)
  const { flags } = await pipeline.close(Number.MAX_SAFE_INTEGER)
  assert.deepEqual(
    flags.map(({ rack }) => rack),
    ['A7', 'A7'],
  )
})
