/** What happens to a cluster behind the daemon's back: topics and groups that go and come again. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startBroker } from '../support/broker.ts'
import { createTopic, until, withAdmin } from '../support/kafka.ts'
import { flagsIn } from '../support/line.ts'
import { type Daemon, startDaemon } from '../support/program.ts'
import { at, EARLY } from './rubbish.ts'
import { ALL, configuration, flagsOf, type Message, metric, send, simulate, terminate } from './stream.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-faults-'))
const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
  rmSync(folder, { recursive: true })
})

test('a cluster without transactions is named, with what to set', { skip }, async () => {
  const without = await startBroker(false, 'transaction.state.log.replication.factor=3\n')
  assert.ok('stop' in without)
  try {
    const topic = await createTopic(without.bootstrap, 1)
    const { file, config } = configuration(without.bootstrap, folder, topic)
    const daemon = await startDaemon(file, config)
    const { code, stderr } = await daemon.exit
    assert.equal(code, 1)
    assert.match(stderr, /Kafka gives no transactions: .*set source\.delivery to at_least_once/)
    const willing = await startDaemon(file, {
      ...config,
      source: { ...config.source, delivery: 'at_least_once' },
    })
    await until(async () => (await willing.get('/readyz')).status === 200, 'it is ready')
    await terminate(willing)
  } finally {
    await without.stop()
  }
})

describe('a cluster that changes', { skip }, () => {
  let good: Message[] = []
  let middle = 0
  before(async () => {
    good = await simulate()
    middle = Math.floor(good.length / 2)
  })
  const all = (topic: string) =>
    until(async () => (await flagsIn(bootstrap, topic)) >= ALL, 'a flag for every window')

  test('an input topic that is deleted and made again is read from its beginning', async () => {
    const topic = await createTopic(bootstrap, 1)
    const { file, config, flags } = configuration(bootstrap, folder, topic, 'earliest', '1h')
    const daemon = await startDaemon(file, config)
    await send(bootstrap, topic, 1, good.slice(0, middle))
    await until(async () => (await metric(daemon, 'records_read_total')) === middle, 'the first half is read')
    await withAdmin(bootstrap, async (admin) => {
      await admin.deleteTopics({ topics: [topic] })
      await until(async () => !(await admin.listTopics()).includes(topic), 'it is gone')
    })
    await until(async () => (await daemon.get('/readyz')).status === 503, 'it is not ready')
    await withAdmin(bootstrap, (admin) => admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 }))
    await send(bootstrap, topic, 1, good.slice(middle))
    await until(async () => (await metric(daemon, 'records_read_total')) === good.length, 'all is read')
    await terminate(daemon)
    // The last windows close when nothing more comes.
    const second = await startDaemon(file, { ...config, windows: { idle_timeout: '2s' } })
    await all(flags)
    await terminate(second)
    assert.equal((await flagsOf(bootstrap, flags)).size, ALL)
  })

  test('a group that was deleted begins anew, and flags nothing twice', async () => {
    const topic = await createTopic(bootstrap, 1)
    const { file, config, flags, group } = configuration(bootstrap, folder, topic, 'earliest', '1h')
    await send(bootstrap, topic, 1, good.slice(0, middle))
    const first = await startDaemon(file, config)
    await until(async () => (await flagsIn(bootstrap, flags)) > 0, 'some flags are out')
    await terminate(first)
    await withAdmin(bootstrap, (admin) => admin.deleteGroups({ groups: [group] }))
    await send(bootstrap, topic, 1, good.slice(middle))
    const second = await startDaemon(file, { ...config, windows: { idle_timeout: '2s' } })
    await all(flags)
    assert.equal(await metric(second, 'records_read_total'), good.length)
    await terminate(second)
    assert.equal((await flagsOf(bootstrap, flags)).size, ALL)
  })

  test('a member that stands still until it has lost its partition commits nothing when it goes on', async () => {
    const topic = await createTopic(bootstrap, 2)
    const { file, config, flags } = configuration(bootstrap, folder, topic, 'earliest', '1h')
    const members = [await startDaemon(file, config), await startDaemon(file, config)]
    const partitions = (member: Daemon) => metric(member, 'assigned_partitions')
    const [survivor, zombie] = members as [Daemon, Daemon]
    for (const member of members) await until(async () => (await partitions(member)) === 1, 'each has one')
    await send(bootstrap, topic, 2, good.slice(0, middle))
    for (const member of members) {
      await until(async () => (await metric(member, 'flags_total')) > 0, 'each flags its node')
    }
    process.kill(zombie.pid, 'SIGSTOP')
    await until(async () => (await partitions(survivor)) === 2, 'the other takes over')
    await send(bootstrap, topic, 2, good.slice(middle))
    await until(async () => (await metric(survivor, 'source_lag_records')) === 0, 'it reads both')
    process.kill(zombie.pid, 'SIGCONT')
    await until(async () => (await partitions(zombie)) === 1, 'the zombie joins again')
    // Samples of the hour after move the watermark past the last window.
    await send(
      bootstrap,
      topic,
      2,
      ['r205n01', 'r205n02'].map((node) => ({
        key: at('ambient', `node/${node}/plugin/ipmi_pub/chnl/data`),
        value: Buffer.from(`20;${Number(EARLY) + 5 * 3600}`),
      })),
    )
    await all(flags)
    for (const member of members) await terminate(member)
    assert.equal((await flagsOf(bootstrap, flags)).size, ALL)
  })

  test('a state topic that is deleted while the daemon is down costs memory, not flags', async () => {
    const topic = await createTopic(bootstrap, 1)
    const { file, config, flags } = configuration(bootstrap, folder, topic, 'earliest', '1h')
    await send(bootstrap, topic, 1, good.slice(0, middle))
    const first = await startDaemon(file, config)
    await until(async () => (await flagsIn(bootstrap, flags)) > 0, 'some flags are out')
    await until(async () => (await metric(first, 'source_lag_records')) === 0, 'all is read')
    await terminate(first)
    await withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [config.source.state_topic] }))
    await send(bootstrap, topic, 1, good.slice(middle))
    const second = await startDaemon(file, { ...config, windows: { idle_timeout: '2s' } })
    await all(flags)
    await terminate(second)
    const windows = await flagsOf(bootstrap, flags)
    assert.equal(windows.size, ALL)
  })
})
