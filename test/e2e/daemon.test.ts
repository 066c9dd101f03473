/** The daemon among trouble: rubbish on its topic, stops, a new group, a member that dies, a broker that goes away. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { FlagRecord } from '../../src/detect/records.ts'
import type { DropReason } from '../../src/examon/sample.ts'
import { startBroker } from '../support/broker.ts'
import { createTopic, until, withAdmin } from '../support/kafka.ts'
import { flagsIn, recordsIn, sum } from '../support/line.ts'
import { startDaemon } from '../support/program.ts'
import { at, EARLY, rubbish } from './rubbish.ts'
import * as stream from './stream.ts'
import { ALL, type Message, metric, simulate, terminate } from './stream.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-daemon-'))
const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
  rmSync(folder, { recursive: true })
})

const send = (topic: string, partitions: number, messages: readonly Message[]) =>
  stream.send(bootstrap, topic, partitions, messages)
const configuration = (topic: string, from?: string, idle?: string) =>
  stream.configuration(bootstrap, folder, topic, from, idle)
const flagsOf = (topic: string) => stream.flagsOf(bootstrap, topic)

function offsetsOf(group: string, topic: string): Promise<number[]> {
  return withAdmin(bootstrap, async (admin) => {
    const [found] = await admin.listConsumerGroupOffsets({ groups: [group] })
    const partitions = found?.topics.find(({ name }) => name === topic)?.partitions ?? []
    return partitions.map(({ committedOffset }) => Number(committedOffset))
  })
}

describe('the daemon', { skip }, () => {
  let good: Message[] = []
  let clean: Awaited<ReturnType<typeof watch>>
  before(async () => {
    good = await simulate()
    clean = await watch(good)
    assert.equal(clean.flags.size, ALL)
  })

  /** Runs over the messages to their end; returns the flags and the drops. */
  async function watch(messages: readonly Message[]) {
    const topic = await createTopic(bootstrap, 1)
    await send(topic, 1, messages)
    const { file, config, flags } = configuration(topic)
    const daemon = await startDaemon(file, config)
    await until(async () => (await flagsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    const metrics = await daemon.metrics()
    await terminate(daemon)
    const drops = (reason: DropReason) => metrics.get(`examon_dec_drops_total{reason="${reason}"}`) ?? 0
    return { flags: await flagsOf(flags), drops, metrics }
  }

  test('rubbish between the samples changes no flag, and every piece is counted', async () => {
    const { messages: bad, counts } = rubbish()
    const every = Math.floor(good.length / 50)
    const mixed = good.flatMap((message, i) => (i % every === 0 ? [message, ...bad] : [message]))
    const repeats = Math.ceil(good.length / every)
    // By now the first window is closed, and the last sample but one has been taken.
    const late = { key: at('ambient'), value: Buffer.from(`99;${EARLY}`) }
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
    await until(async () => (await flagsIn(bootstrap, flags)) > 0, 'some flags are out')
    await terminate(first)
    const committed = await offsetsOf(group, topic)
    assert.ok(committed.length === 2 && committed.every((offset) => offset > 0), `committed ${committed}`)

    await send(topic, 2, good.slice(half))
    const second = await startDaemon(file, { ...config, windows: { idle_timeout: '2s' } })
    await until(async () => (await flagsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
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
    await until(async () => (await flagsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    await terminate(second)
    assert.equal((await flagsOf(flags)).size, ALL)
  })

  test('two members share the nodes; when one is killed, the other loses none of its windows', async () => {
    const topic = await createTopic(bootstrap, 2)
    const { file, config, flags } = configuration(topic, 'earliest', '1h')
    const survivor = await startDaemon(file, config)
    const victim = await startDaemon(file, config)
    for (const member of [survivor, victim]) {
      await until(async () => (await metric(member, 'assigned_partitions')) === 1, 'each has a partition')
    }
    const part = Math.floor(good.length * 0.6)
    await send(topic, 2, good.slice(0, part))
    for (const member of [survivor, victim]) {
      await until(async () => (await metric(member, 'flags_total')) > 0, 'each flags its node')
    }
    await victim.stop('SIGKILL')
    // Samples of the hour after move the watermark past the last window.
    const later = ['r205n01', 'r205n02'].map((node) => ({
      key: at('ambient', `node/${node}/plugin/ipmi_pub/chnl/data`),
      value: Buffer.from(`20;${Number(EARLY) + 5 * 3600}`),
    }))
    await send(topic, 2, [...good.slice(part), ...later])
    await until(async () => (await metric(survivor, 'assigned_partitions')) === 2, 'the other takes over')
    await until(async () => (await flagsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    await terminate(survivor)
    const scores = (all: ReadonlyMap<string, FlagRecord>) =>
      [...all].map(([window, { score }]) => `${window} ${score}`).sort()
    assert.deepEqual(scores(await flagsOf(flags)), scores(clean.flags))
  })

  const external = 'external' in broker && broker.external
  test('without its broker it says so, stops in time, and loses nothing', { skip: external }, async () => {
    if (!('kill' in broker)) return
    const topic = await createTopic(bootstrap, 1)
    const { file, config, flags } = configuration(topic, 'earliest', '4s')
    const first = await startDaemon(file, config)
    await send(topic, 1, good)
    await until(async () => (await metric(first, 'source_lag_records')) === 0, 'all is read')
    const before = await flagsIn(bootstrap, flags)
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
    await until(async () => (await flagsIn(bootstrap, flags)) >= ALL, 'a flag for every window')
    await terminate(second)
    assert.equal((await flagsOf(flags)).size, ALL)
    assert.ok(before < ALL)
  })
})
