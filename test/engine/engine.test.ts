/** The engine end to end on embedded sources and files, with the committed bundle. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { defaultConfig } from '../../src/config/load.ts'
import type { WindowsConfig } from '../../src/config/schema.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { AlarmRecord, FlagRecord } from '../../src/detect/records.ts'
import { Engine } from '../../src/engine/engine.ts'
import { openHistory } from '../../src/history/history.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { NdjsonSink } from '../../src/sinks/ndjson.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { ReplaySource } from '../../src/sources/replay.ts'
import { SimulatorSource } from '../../src/sources/simulator.ts'
import type { PartitionProgress, Source, SourceEvent } from '../../src/sources/source.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { folder, write } from '../history/parquet.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

const START = Date.parse('2020-03-11T00:00:00Z')
const HOUR = 3_600_000
/** A stop must not wait for anything; the poll of the source and a turn are part of it, ms. */
const STOP_MS = 1500
/** Longest wait for a condition, ms. */
const PATIENCE_MS = 20_000
const FULL_DEVICE = '/dev/full'

const bundle = openBundle(REFERENCE_BUNDLE)

/** An engine on a source, with files as its sink unless told. */
function open(source: Source, changes: { windows?: Partial<WindowsConfig>; sinks?: Sink[] } = {}) {
  const directory = folder()
  const files = { flags: join(directory, 'flags.ndjson'), alarms: join(directory, 'alarms.ndjson') }
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: 'test' })
  const config = defaultConfig()
  const engine = new Engine({
    bundle,
    source,
    sinks: changes.sinks ?? [new NdjsonSink({ ...files, anomalousOnly: false })],
    checkpoint: null,
    telemetry,
    windows: { ...config.windows, ...changes.windows },
    detect: detectorOptions(config.detect),
  })
  const read = <T>(path: string): T[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as T)
  return {
    engine,
    telemetry,
    drops: telemetry.status.daemon.drops,
    flags: () => read<FlagRecord>(files.flags),
    alarms: () => read<AlarmRecord>(files.alarms),
  }
}

/** Runs a bounded source to its end. */
async function runToEnd({ engine }: ReturnType<typeof open>): Promise<void> {
  await engine.start()
  try {
    await engine.run(new AbortController().signal)
  } finally {
    await engine.close()
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUp = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    assert.ok(performance.now() < giveUp, `waited in vain until ${what}`)
    await sleep(20)
  }
}

/** Aborts a run and holds it to the time that a stop may take. */
async function stop(running: Promise<void>, abort: AbortController): Promise<void> {
  const asked = performance.now()
  abort.abort()
  await running
  const took = performance.now() - asked
  assert.ok(took < STOP_MS, `the stop took ${Math.round(took)} ms`)
}

function simulator(speed: number | 'max', hours?: number, startMs = START): SimulatorSource {
  const machine = new Machine({ nodes: 2, seed: 4, startMs, faults: [] })
  return new SimulatorSource({
    machine,
    speed,
    ...(hours === undefined ? {} : { endMs: startMs + hours * HOUR }),
  })
}

async function metric(telemetry: Telemetry, name: string): Promise<number> {
  const line = (await telemetry.scrape()).body.split('\n').find((text) => text.startsWith(name))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

test('from simulator to files: a flag for every window of every node, alarms for changes, all accounted for', async () => {
  const line = open(simulator('max', 3))
  await runToEnd(line)
  const flags = line.flags()
  assert.equal(flags.length, 2 * 3 * 4)
  assert.equal(new Set(flags.map(({ node, window_start }) => `${node} ${window_start}`)).size, flags.length)
  assert.equal(await metric(line.telemetry, 'examon_dec_flags_total'), flags.length)
  const changes = line.alarms().map(({ node, from, to }) => `${node} ${from} ${to}`)
  assert.ok(changes.length >= 2 && changes.every((change) => / learning | /.test(change)))
  assert.equal(line.drops.late + line.drops.future, 0)
})

describe('a sink that fails', () => {
  test('is tried again, said to be so, and does not hold up a stop', {
    skip: !existsSync(FULL_DEVICE),
  }, async () => {
    const full = new NdjsonSink({ flags: FULL_DEVICE, alarms: FULL_DEVICE, anomalousOnly: false })
    const { engine, telemetry } = open(simulator('max', 3), { sinks: [full] })
    await engine.start()
    const abort = new AbortController()
    const running = engine.run(abort.signal)
    await until(
      'the write was tried again',
      async () => (await metric(telemetry, 'examon_dec_sink_failures_total')) >= 2,
    )
    const { ready, reason } = telemetry.status.daemon
    assert.deepEqual({ ready, reason }, { ready: false, reason: 'sink ndjson does not take flags' })
    await stop(running, abort)
    assert.equal(telemetry.status.document().nodes.length, 0, 'nothing is told that no sink has')
    await engine.close()
  })

  test('and recovers gets every flag once, and the daemon is ready again', async () => {
    const directory = folder()
    const path = join(directory, 'both.ndjson')
    const file = new NdjsonSink({ flags: path, alarms: path, anomalousOnly: false })
    let failures = 2
    const shaky: Sink = {
      kind: 'ndjson',
      start: () => file.start(),
      close: () => file.close(),
      async write(flags, alarms) {
        if (failures-- > 0) throw new Error('away')
        await file.write(flags, alarms)
      },
    }
    const line = open(simulator('max', 1), { sinks: [shaky] })
    await runToEnd(line)
    const flags = readFileSync(path, 'utf8')
      .split('\n')
      .filter((text) => text.includes('"kind":"flag"'))
    assert.equal(flags.length, 2 * 4)
    assert.equal(line.telemetry.status.daemon.ready, true)
    assert.equal(await metric(line.telemetry, 'examon_dec_sink_failures_total'), 2)
  })
})

test('a stop ends an endless source at once', async () => {
  const line = open(simulator(3600))
  await line.engine.start()
  const abort = new AbortController()
  const running = line.engine.run(abort.signal)
  await until('windows were flagged', () => line.telemetry.status.document().nodes.length === 2)
  await stop(running, abort)
  await line.engine.close()
  const flags = line.flags()
  assert.equal(new Set(flags.map(({ node, window_start }) => `${node} ${window_start}`)).size, flags.length)
})

test('a simulation that runs ahead of the clock loses no sample', async () => {
  const line = open(simulator('max', 2, Math.floor(Date.now() / HOUR) * HOUR))
  await runToEnd(line)
  assert.equal(line.drops.future + line.drops.late, 0)
  assert.equal(line.flags().length, 2 * 2 * 4)
})

/** Two nodes with every sensor of the model at 20; `where` picks rows by minute `i` and node `n`. */
function writeSteady(minutes: number, where: string): Promise<string> {
  const sensors = bundle.manifest.schema.metrics.flatMap((m) => m.sensors)
  const columns = sensors.map((name) => `20.0 + i % 3 AS "${name}"`).join(', ')
  return write(
    folder(),
    'steady.parquet',
    `SELECT make_timestamp_ms(${START} + i * 20000) AS timestamp, 'r205n0' || (n + 1) AS node, ${columns}
     FROM range(${minutes * 3}) t(i), range(2) s(n) WHERE ${where}`,
  )
}

test('a pause of the replay longer than the idle time-out makes nothing late', async () => {
  // Five minutes of history without a sample, within a window, take longer than the engine waits for records.
  const history = await openHistory([await writeSteady(15, 'i < 6 OR i >= 21')])
  const line = open(new ReplaySource({ history, speed: 500 }), {
    windows: { idle_timeout: 0.005, lateness: 0 },
  })
  await runToEnd(line)
  assert.equal(line.drops.late, 0)
  assert.deepEqual(
    line.flags().map(({ coverage }) => coverage > 0.3),
    [true, true],
  )
})

test('a node that is gone leaves the page and the metrics', async () => {
  const history = await openHistory([await writeSteady(180, 'n = 0 OR i < 60')])
  const line = open(new ReplaySource({ history, speed: 'max' }), { windows: { forget_after: 3600 } })
  await runToEnd(line)
  const of = (name: string): FlagRecord[] => line.flags().filter(({ node }) => node === name)
  assert.equal(of('r205n01').length, 12)
  assert.ok(of('r205n02').length >= 5 && of('r205n02').length < 12)
  assert.equal(of('r205n02').at(-1)?.state, 'silent')
  assert.deepEqual(
    line.telemetry.status.document().nodes.map(({ node }) => node),
    ['r205n01'],
  )
  assert.doesNotMatch((await line.telemetry.scrape()).body, /node="r205n02"/)
})

test('page, signals and timers go on beside a source that always has more', async () => {
  const bus = new Bus(Array.from({ length: 200 }, (_, i) => ({ node: 'r205n01', timeMs: START + i * 1000 })))
  const line = open(bus)
  await line.engine.start()
  let turns = 0
  const count = (): void => {
    turns++
    counting = setImmediate(count)
  }
  let counting = setImmediate(count)
  let duringRecords = 0
  const poll = bus.poll.bind(bus)
  bus.poll = async () => {
    const event = await poll()
    if (event.kind !== 'end') duringRecords = turns
    return event
  }
  await line.engine.run(new AbortController().signal)
  clearImmediate(counting)
  await line.engine.close()
  assert.ok(duringRecords >= 199, `${duringRecords}`)
})

/** Records given beforehand, as a bus brings them: node-keyed JSON. Remembers what was committed. */
class Bus implements Source {
  readonly kind = 'kafka'
  readonly committed: number[] = []
  private readonly events: SourceEvent[]
  private position = 0

  constructor(samples: readonly { node: string; timeMs: number }[]) {
    const records = samples.map(({ node, timeMs }, offset) => ({
      key: Buffer.from(node),
      value: Buffer.from(JSON.stringify({ metric: 'ambient', value: 20, timestamp: timeMs })),
      partition: 0,
      offset,
    }))
    this.events = [
      { kind: 'assigned', partitions: [0], isWhole: true },
      ...records.map((record): SourceEvent => ({ kind: 'records', records: [record] })),
      { kind: 'end' },
    ]
  }

  async start(): Promise<void> {}

  async poll(): Promise<SourceEvent> {
    const event = this.events.shift() ?? { kind: 'end' }
    if (event.kind === 'records') this.position++
    return event
  }

  progress(): PartitionProgress[] {
    return [{ partition: 0, position: this.position, end: this.position }]
  }

  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    this.committed.push(offsets.get(0) ?? Number.NaN)
  }

  async close(): Promise<void> {}
}

test('a node whose clock is ahead makes no sample of the others late', async () => {
  const now = Date.now()
  // More than a window ahead, and within the skew that is let pass.
  const bus = new Bus([
    { node: 'ahead', timeMs: now + 20 * 60_000 },
    { node: 'right', timeMs: now - 1000 },
  ])
  const line = open(bus, { windows: { future_skew: 30 * 60 } })
  await runToEnd(line)
  assert.equal(line.drops.future + line.drops.late, 0)
})

test('offsets stand behind the flags: never beyond the oldest sample of an open window', async () => {
  const base = Math.floor(Date.now() / HOUR) * HOUR - 6 * HOUR
  const times = Array.from({ length: 12 }, (_, i) => base + i * 5 * 60_000)
  const bus = new Bus(times.map((timeMs) => ({ node: 'n', timeMs })))
  await runToEnd(open(bus, { windows: { lateness: 0 } }))
  // Where reading began; then after each window, of three samples each; then all, as nothing is open any more.
  assert.deepEqual(bus.committed, [0, 3, 6, 9, 12])
})
