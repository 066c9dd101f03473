/** The daemon among trouble: rubbish on its topic, stops, a new group, a broker that goes away. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { FlagRecord } from '../../src/detect/records.ts'
import type { DropReason } from '../../src/examon/sample.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { SimulatorSource } from '../../src/sources/simulator.ts'
import { startBroker } from '../support/broker.ts'
import { createTopic, produceRaw, type RawRecord, uniqueName, until, withAdmin } from '../support/kafka.ts'
import { readFlags, recordsIn, sum, windowOf } from '../support/line.ts'
import { type Daemon, type Exit, startDaemon } from '../support/program.ts'

const REFERENCE = new URL('../../models/reference', import.meta.url).pathname
const START_MS = Date.parse('2020-04-01T00:00:00Z')
const HOURS = 4
const WINDOWS_PER_HOUR = 4
const NODES = 2
/** The daemon stops in at most this long, as the documentation promises. */
const STOP_MS = 10_000

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-daemon-'))
const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
  rmSync(folder, { recursive: true })
})

type Message = Pick<RawRecord, 'key' | 'value'>

/** Some hours of a small machine, in the order of time. */
async function simulate(): Promise<Message[]> {
  const machine = new Machine({ nodes: NODES, seed: 7, startMs: START_MS, faults: [] })
  const source = new SimulatorSource({ machine, speed: 'max', endMs: START_MS + HOURS * 3_600_000 })
  await source.start()
  const messages: Message[] = []
  for (;;) {
    const event = await source.poll(1000)
    if (event.kind === 'end') return messages
    if (event.kind === 'records') messages.push(...event.records)
  }
}

/** Sends messages in their order; a node stays on its partition. */
async function send(topic: string, partitions: number, messages: readonly Message[]): Promise<void> {
  const CHUNK = 4000
  for (let i = 0; i < messages.length; i += CHUNK) {
    await produceRaw(
      bootstrap,
      topic,
      messages.slice(i, i + CHUNK).map(({ key, value }) => {
        const node = /\/node\/r205n(\d\d)\//.exec(String(key))?.[1] ?? '0'
        return { partition: Number(node) % partitions, key, value }
      }),
    )
  }
}

function configuration(topic: string, from = 'earliest', idle = '2s') {
  const names = { flags: uniqueName('flags'), group: uniqueName('group') }
  const config = {
    model: REFERENCE,
    source: {
      type: 'kafka',
      brokers: [bootstrap],
      topics: [topic],
      group: names.group,
      from,
      state_topic: uniqueName('state'),
    },
    sinks: [
      { type: 'kafka', brokers: [bootstrap], flags_topic: names.flags, alarms_topic: uniqueName('alarms') },
    ],
    windows: { idle_timeout: idle },
    http: { port: 0 },
  }
  return { ...names, config, file: join(folder, `${names.flags}.yaml`) }
}

async function metric(daemon: Daemon, name: string): Promise<number> {
  return (await daemon.metrics()).get(`examon_dec_${name}`) ?? 0
}

/** Stops the daemon as systemd does; it must end well and in time. */
async function terminate(daemon: Daemon): Promise<Exit> {
  const started = performance.now()
  const exit = await daemon.stop('SIGTERM')
  assert.equal(exit.code, 0, exit.stderr)
  const took = performance.now() - started
  assert.ok(took < STOP_MS, `it took ${took} ms to stop`)
  return exit
}

const ALL = NODES * HOURS * WINDOWS_PER_HOUR

async function flagsOf(topic: string): Promise<Map<string, FlagRecord>> {
  const flags = await readFlags(bootstrap, topic)
  const byWindow = new Map(flags.map((flag) => [windowOf(flag), flag]))
  assert.equal(byWindow.size, flags.length, 'no window twice')
  return byWindow
}

function offsetsOf(group: string, topic: string): Promise<number[]> {
  return withAdmin(bootstrap, async (admin) => {
    const [found] = await admin.listConsumerGroupOffsets({ groups: [group] })
    const partitions = found?.topics.find(({ name }) => name === topic)?.partitions ?? []
    return partitions.map(({ committedOffset }) => Number(committedOffset))
  })
}

const at = (metric: string, tags = 'node/r205n01/plugin/ipmi_pub/chnl/data'): Buffer =>
  Buffer.from(`org/cineca/cluster/marconi100/${tags}/${metric}`)
const NOON = `${START_MS / 1000 + 60}`
const TOMORROW = `${Math.floor(Date.now() / 1000) + 86_400}`
const BYTES = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 151 + 89) % 256))

/** Rubbish and the reason under which each piece is counted; null for what is silently passed over. */
const RUBBISH: [reason: DropReason | null, key: Buffer | null, value: Buffer | string | null][] = [
  ['no_topic', null, `1;${NOON}`],
  ['no_topic', Buffer.alloc(0), `1;${NOON}`],
  ['bad_topic', Buffer.from('r205n01'), `1;${NOON}`],
  ['bad_topic', Buffer.from('a/b/c'), `1;${NOON}`],
  ['bad_topic', Buffer.from('///'), `1;${NOON}`],
  ['bad_topic', BYTES, `1;${NOON}`],
  ['bad_topic', at('x'.repeat(2000)), `1;${NOON}`],
  ['not_data', at('ambient', 'node/r205n01/plugin/ipmi_pub/chnl/cmd'), `1;${NOON}`],
  ['no_node', at('pue', 'plugin/logics_pub/chnl/data'), `1;${NOON}`],
  ['own_output', at('score', 'node/r205n01/plugin/examon-ai_pub/chnl/data'), `1;${NOON}`],
  ['no_value', at('ambient'), null],
  ['no_value', at('ambient'), ''],
  ['bad_payload', at('ambient'), 'no semicolon'],
  ['bad_time', at('ambient'), BYTES], // there is a semicolon among them, and no time behind it
  ['bad_payload', at('ambient'), '{"metric": "ambient"'.concat('}}')],
  ['bad_payload', at('ambient'), '[1, 2]'],
  ['bad_payload', at('ambient'), '[1, "x", null]'],
  ['not_numeric', at('ambient'), `on;${NOON}`],
  ['not_finite', at('ambient'), `nan;${NOON}`],
  ['not_finite', at('ambient'), `-inf;${NOON}`],
  ['not_finite', at('ambient'), `1e999;${NOON}`],
  ['bad_time', at('ambient'), '21.5;'],
  ['bad_time', at('ambient'), '21.5;yesterday'],
  ['bad_time', at('ambient'), '21.5;-60'],
  ['unknown_metric', at('no_such_metric'), `1;${NOON}`],
  ['future', at('ambient'), `21.5;${TOMORROW}`],
  [null, at('ambient'), 'CK'],
]

function rubbish(): { messages: Message[]; counts: Map<DropReason, number> } {
  const counts = new Map<DropReason, number>()
  for (const [reason, , value] of RUBBISH) {
    if (reason === null) continue
    // Each element of a JSON list is a drop of its own.
    const drops =
      typeof value === 'string' && value.startsWith('[') ? (JSON.parse(value) as unknown[]).length : 1
    counts.set(reason, (counts.get(reason) ?? 0) + drops)
  }
  const messages = RUBBISH.map(([, key, value]) => ({
    key,
    value: typeof value === 'string' ? Buffer.from(value) : value,
  }))
  return { messages, counts }
}

describe('the daemon', { skip }, () => {
  let good: Message[] = []
  before(async () => {
    good = await simulate()
  })

  /** Runs over the messages to their end; returns the flags and the drops. */
  async function watch(messages: readonly Message[]) {
    const topic = await createTopic(bootstrap, 1)
    await send(topic, 1, messages)
    const { file, config, flags } = configuration(topic)
    const daemon = await startDaemon(file, config)
    await until(async () => sum(await recordsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    const metrics = await daemon.metrics()
    await terminate(daemon)
    const drops = (reason: DropReason) => metrics.get(`examon_dec_drops_total{reason="${reason}"}`) ?? 0
    return { flags: await flagsOf(flags), drops, metrics }
  }

  test('rubbish between the samples changes no flag, and every piece is counted', async () => {
    const clean = await watch(good)
    assert.equal(clean.flags.size, ALL)
    const { messages: bad, counts } = rubbish()
    const every = Math.floor(good.length / 50)
    const mixed = good.flatMap((message, i) => (i % every === 0 ? [message, ...bad] : [message]))
    const repeats = Math.ceil(good.length / every)
    // By now the first window is closed, and the last sample but one has been taken.
    const late = { key: at('ambient'), value: Buffer.from(`99;${NOON}`) }
    const last = good.findLast(({ key }) => String(key).endsWith('/ambient'))
    assert.ok(last !== undefined)
    const dirty = await watch([...mixed, late, late, last])

    assert.deepEqual(dirty.flags, clean.flags)
    for (const [reason, count] of counts) {
      assert.equal(dirty.drops(reason) - clean.drops(reason), count * repeats, reason)
    }
    assert.equal(dirty.drops('late') - clean.drops('late'), 2)
    assert.equal(dirty.drops('duplicate') - clean.drops('duplicate'), 1)
    assert.equal(dirty.metrics.get('examon_dec_samples_total'), clean.metrics.get('examon_dec_samples_total'))
  })

  test('SIGTERM ends it in time with its offsets committed; a restart goes on there', async () => {
    const topic = await createTopic(bootstrap, 2)
    const half = Math.floor(good.length * 0.6)
    await send(topic, 2, good.slice(0, half))
    assert.ok((await recordsIn(bootstrap, topic)).every((count) => count > 0))
    const { file, config, flags, group } = configuration(topic, 'earliest', '1h')
    const first = await startDaemon(file, config)
    await until(async () => (await metric(first, 'source_lag_records')) === 0, 'all is read')
    await until(async () => sum(await recordsIn(bootstrap, flags)) > 0, 'some flags are out')
    await terminate(first)
    const committed = await offsetsOf(group, topic)
    assert.ok(committed.length === 2 && committed.every((offset) => offset > 0), `committed ${committed}`)

    await send(topic, 2, good.slice(half))
    const second = await startDaemon(file, { ...config, windows: { idle_timeout: '2s' } })
    await until(async () => sum(await recordsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    assert.equal(await metric(second, 'records_read_total'), good.length - sum(committed))
    await terminate(second)
    assert.equal((await flagsOf(flags)).size, ALL)
  })

  test('a new group that dies before its first window loses nothing of what came meanwhile', async () => {
    const topic = await createTopic(bootstrap, 1)
    const { file, config, flags } = configuration(topic, 'latest')
    const first = await startDaemon(file, config)
    await until(async () => (await first.get('/readyz')).status === 200, 'it is ready')
    await first.stop('SIGKILL')
    await send(topic, 1, good)
    const second = await startDaemon(file, config)
    await until(async () => sum(await recordsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    await terminate(second)
    assert.equal((await flagsOf(flags)).size, ALL)
  })

  const external = 'external' in broker && broker.external
  test('without its broker it says so, stops in time, and loses nothing', { skip: external }, async () => {
    if (!('kill' in broker)) return
    const topic = await createTopic(bootstrap, 1)
    const { file, config, flags } = configuration(topic, 'earliest', '4s')
    const first = await startDaemon(file, config)
    await send(topic, 1, good)
    await until(async () => (await metric(first, 'source_lag_records')) === 0, 'all is read')
    const before = (await flagsOf(flags)).size
    await broker.kill()
    await until(async () => (await first.get('/readyz')).status === 503, 'it is not ready')
    assert.match((await first.get('/readyz')).body, /"reason":"can't read from Kafka: /)
    // The last windows close when the partition counts as idle; nobody takes their flags.
    await until(
      async () => (await metric(first, 'source_events_total{event="produce_retry"}')) > 0,
      'a flag is being written',
    )
    await terminate(first)
    await broker.start()
    const second = await startDaemon(file, config)
    await until(async () => sum(await recordsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    await terminate(second)
    const windows = new Set((await readFlags(bootstrap, flags)).map(windowOf))
    assert.equal(windows.size, ALL)
    assert.ok(before < ALL)
  })
})
