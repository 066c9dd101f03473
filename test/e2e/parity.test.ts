/**
 * Serving equals training: history, sent through a real broker to the daemon, comes out with the scores that `evaluate`
 * gives, also where the daemon is killed on the way.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { FlagRecord } from '../../src/detect/records.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { startBroker } from '../support/broker.ts'
import { sharedData } from '../support/data.ts'
import { createTopic, uniqueName, until } from '../support/kafka.ts'
import {
  flagsIn,
  flagsOfHistory,
  readFlags,
  recordsIn,
  replayToKafka,
  train,
  windowOf,
} from '../support/line.ts'
import { type Daemon, startDaemon } from '../support/program.ts'

const DAY_MS = 86_400_000
const CATALOGUE = new URL('../../config/marconi100.catalogue.yaml', import.meta.url).pathname
/** The scores differ by the order in which samples are summed up, and by what float32 makes of it. */
const TOLERANCE = 1e-5

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-parity-'))
const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
  rmSync(folder, { recursive: true })
})

/** A model and what it is to be tried on. */
interface Case {
  model: string
  history: string[]
  expected: Map<string, FlagRecord>
}

async function simulated(): Promise<Case> {
  const fromMs = Date.parse('2020-03-09T00:00:00Z')
  const machine = { layout: 'samples', nodes: 3, seed: 5, faults: [] } as const
  const seen = join(folder, 'simulated-train')
  const unseen = join(folder, 'simulated-test')
  await writeHistory({ ...machine, directory: seen, fromMs, toMs: fromMs + 2 * DAY_MS })
  await writeHistory({
    ...machine,
    directory: unseen,
    fromMs: fromMs + 2 * DAY_MS,
    toMs: fromMs + 3 * DAY_MS,
  })
  const model = join(folder, 'simulated-model')
  await train([seen], CATALOGUE, model)
  return { model, history: [unseen], expected: await flagsOfHistory(model, [unseen]) }
}

async function real(smd: string): Promise<Case> {
  const model = join(folder, 'smd-model')
  const history = [join(smd, 'machine-1-6.test.parquet')]
  await train([join(smd, 'machine-1-6.train.parquet')], null, model)
  return { model, history, expected: await flagsOfHistory(model, history) }
}

/** Configuration of a daemon with names of its own on the broker. */
function configuration(model: string, topic: string, idle: string) {
  const flags = uniqueName('flags')
  const config = {
    model,
    source: {
      type: 'kafka',
      brokers: [bootstrap],
      topics: [topic],
      group: uniqueName('group'),
      from: 'earliest',
      state_topic: uniqueName('state'),
    },
    sinks: [{ type: 'kafka', brokers: [bootstrap], flags_topic: flags, alarms_topic: uniqueName('alarms') }],
    windows: { idle_timeout: idle },
    http: { port: 0 },
    log: { level: 'info' },
  }
  return { flags, config, file: join(folder, `${flags}.yaml`) }
}

async function drained(
  daemon: Daemon,
  expected: ReadonlyMap<string, FlagRecord>,
  flags: string,
): Promise<void> {
  await until(async () => (await daemon.metrics()).get('examon_dec_source_lag_records') === 0, 'all is read')
  const last = Math.max(...[...expected.values()].map((flag) => Date.parse(flag.window_end)))
  await until(
    async () =>
      ((await daemon.metrics()).get('examon_dec_watermark_timestamp_seconds') ?? 0) * 1000 > last + DAY_MS,
    'the partitions count as idle',
  )
  await until(async () => (await flagsIn(bootstrap, flags)) >= expected.size, 'a flag for every window')
}

/** Every expected window is there, every score is the expected one, and nothing else was scored. */
function assertSame(flags: readonly FlagRecord[], expected: ReadonlyMap<string, FlagRecord>): void {
  const scored = flags.filter(({ score }) => score !== null)
  const seen = new Set(scored.map(windowOf))
  const wanted = [...expected.values()].filter(({ score }) => score !== null)
  assert.ok(wanted.length > 50, `${wanted.length} windows are too few to prove anything`)
  assert.deepEqual(
    wanted.map(windowOf).filter((window) => !seen.has(window)),
    [],
    'windows without a flag',
  )
  for (const flag of scored) {
    const other = expected.get(windowOf(flag))
    assert.ok(other?.score != null, `${windowOf(flag)} is not scored by evaluate`)
    const difference = Math.abs((flag.score ?? Number.NaN) - other.score)
    assert.ok(difference <= TOLERANCE, `${windowOf(flag)}: live ${flag.score}, history ${other.score}`)
    assert.equal(flag.mode, other.mode)
    assert.equal(flag.model, other.model)
    assert.equal(flag.coverage, other.coverage)
  }
}

function parity(name: string, make: () => Promise<Case>, partitions: number): void {
  describe(name, () => {
    let made: Promise<Case> | undefined
    const given = (): Promise<Case> => {
      made ??= make()
      return made
    }

    test('every window has the score that evaluate gives', async () => {
      const { model, history, expected } = await given()
      const topic = await createTopic(bootstrap, partitions)
      const replay = await replayToKafka(history, bootstrap, topic)
      await replay.sendTo(Number.POSITIVE_INFINITY)
      await replay.close()
      const { flags, config, file } = configuration(model, topic, '2s')
      const daemon = await startDaemon(file, config)
      await drained(daemon, expected, flags)
      const { code, stderr } = await daemon.stop('SIGTERM')
      assert.equal(code, 0, stderr)
      const read = await readFlags(bootstrap, flags)
      assertSame(read, expected)
      assert.equal(new Set(read.map(windowOf)).size, read.length, 'no window twice')
    })

    test('killed on the way and started again, it loses no window', async () => {
      const { model, history, expected } = await given()
      const topic = await createTopic(bootstrap, partitions)
      const replay = await replayToKafka(history, bootstrap, topic)
      const ends = [...expected.values()].map((flag) => Date.parse(flag.window_end))
      // The last part is held back, so that not all can be out when the daemon dies.
      await replay.sendTo(Math.min(...ends) + 0.8 * (Math.max(...ends) - Math.min(...ends)))
      assert.ok(
        (await recordsIn(bootstrap, topic)).every((count) => count > 0),
        'every partition has records, or the first daemon would wait for its time-out',
      )
      const { flags, config, file } = configuration(model, topic, '1h')
      const first = await startDaemon(file, config)
      await until(async () => (await flagsIn(bootstrap, flags)) > 0, 'some flags are out')
      const { signal } = await first.stop('SIGKILL')
      assert.equal(signal, 'SIGKILL')
      const before = await readFlags(bootstrap, flags)
      assert.ok(before.length < expected.size, 'not all flags are out')

      await replay.sendTo(Number.POSITIVE_INFINITY)
      await replay.close()
      const second = await startDaemon(file, { ...config, windows: { idle_timeout: '2s' } })
      await drained(second, expected, flags)
      const { code, stderr } = await second.stop('SIGTERM')
      assert.equal(code, 0, stderr)
      assertSame(await readFlags(bootstrap, flags), expected)
    })
  })
}

describe('serving equals training', { skip }, () => {
  parity('simulated, three nodes on two partitions', simulated, 2)
  const smd = sharedData('smd')
  describe('SMD', { skip: smd === null && 'needs ../shared/data/smd' }, () => {
    if (smd !== null) parity('machine-1-6', () => real(smd), 1)
  })
})
