import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { KafkaSink, type KafkaSinkOptions } from '../../src/sinks/kafka.ts'
import { openRecordProducer, partitionHash } from '../../src/sinks/producer.ts'
import { startBroker } from '../support/broker.ts'
import { consoleRead, createTopic, streamRead, uniqueName, until, withAdmin } from '../support/kafka.ts'
import { alarm, flag } from './records.ts'

const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
})

function open(options: Partial<KafkaSinkOptions> = {}) {
  const topics = { flagsTopic: uniqueName('flags'), alarmsTopic: uniqueName('alarms') }
  const fixed = { brokers: [bootstrap], clientId: 'test', anomalousOnly: false, createTopics: true }
  const all = { ...fixed, ...topics, ...options }
  return { sink: new KafkaSink(all), ...all }
}

describe('Kafka sink', { skip }, () => {
  test("Kafka's own reader finds every flag and alarm, keyed by node, in order, on topics that the sink made", async () => {
    const { sink, flagsTopic, alarmsTopic } = open()
    await sink.start()
    const nodes = Array.from({ length: 20 }, (_, i) => `r206n${String(i + 1).padStart(2, '0')}`)
    for (let window = 0; window < 5; window++) {
      await sink.write(
        nodes.map((node) => flag(node, window, false)),
        window === 3 ? [alarm('r206n05', 3)] : [],
      )
    }
    await sink.close()
    const read = await consoleRead(bootstrap, flagsTopic, 100)
    for (const node of nodes) {
      const own = read.filter(([, key]) => key === node)
      assert.deepEqual(
        own.map(([, , value]) => JSON.parse(value)),
        [0, 1, 2, 3, 4].map((window) => flag(node, window, false)),
      )
      assert.deepEqual(
        new Set(own.map(([partition]) => partition)),
        new Set([partitionHash(Buffer.from(node)) % 4]),
      )
    }
    const [[, key, value] = [0, '', '']] = await streamRead(bootstrap, alarmsTopic, 1)
    assert.deepEqual([key, JSON.parse(value)], ['r206n05', alarm('r206n05', 3)])
  })

  test('anomalousOnly leaves out the other flags', async () => {
    const { sink, flagsTopic } = open({ anomalousOnly: true })
    await sink.start()
    await sink.write([flag('a', 0, false), flag('b', 0, true), flag('c', 0, false)], [])
    await sink.write([flag('d', 0, true)], [])
    await sink.close()
    const read = await streamRead(bootstrap, flagsTopic, 2)
    assert.deepEqual(read.map(([, node]) => node).toSorted(), ['b', 'd'])
  })

  test('a write larger than a broker takes at once is split', async () => {
    const { sink, flagsTopic } = open()
    await sink.start()
    const flags = Array.from({ length: 8000 }, (_, i) => flag('one-node', i, false)) // about 3.4 MB for one partition
    await sink.write(flags, [])
    await sink.close()
    const read = await streamRead(bootstrap, flagsTopic, 8000)
    assert.deepEqual(
      read.map(([, , value]) => JSON.parse(value).window_start),
      flags.map((f) => f.window_start),
    )
  })

  test('without leave to create topics a missing one is named with its config key', async () => {
    const { sink, flagsTopic } = open({ createTopics: false, configKey: 'sinks[2]' })
    await assert.rejects(
      sink.start(),
      new RegExp(`topic ${flagsTopic} does not exist .*config key sinks\\[2\\]\\.flags_topic`),
    )
  })

  test('the producer of samples puts a node on one partition, or spreads its topics as bridges do', async () => {
    const node = 'r206n05'
    const records = Array.from({ length: 64 }, (_, i) => ({
      key: Buffer.from(`org/x/node/${node}/plugin/ipmi_pub/chnl/data/metric_${i}`),
      value: Buffer.from(`${i};1658832080.010`),
      node,
    }))
    for (const keyed of ['node', 'topic'] as const) {
      const topic = await createTopic(bootstrap, 8)
      const producer = await openRecordProducer({ brokers: [bootstrap], topic, clientId: 'test', keyed })
      await producer.send(records)
      await producer.close()
      const read = await streamRead(bootstrap, topic, 64)
      assert.deepEqual(
        read.map(([, key, value]) => `${key} ${value}`).toSorted(),
        records.map((r) => `${r.key} ${r.value}`).toSorted(),
      )
      const partitions = new Set(read.map(([partition]) => partition))
      assert.equal(partitions.size, keyed === 'node' ? 1 : 8)
      const expected = (key: string) => partitionHash(Buffer.from(keyed === 'node' ? node : key)) % 8
      assert.ok(read.every(([partition, key]) => partition === expected(key)))
    }
    const lost = { brokers: [bootstrap], topic: 'no-such-topic', clientId: 'test', keyed: 'node' as const }
    await assert.rejects(openRecordProducer(lost), /topic no-such-topic does not exist/)
  })

  test('topics that exist stay as they are', async () => {
    const [flagsTopic, alarmsTopic] = [await createTopic(bootstrap, 1), await createTopic(bootstrap, 1)]
    const { sink } = open({ flagsTopic, alarmsTopic })
    await sink.start()
    await sink.write([flag('r206n05', 0, true)], [])
    await sink.close()
    const metadata = await withAdmin(bootstrap, (admin) => admin.metadata({ topics: [flagsTopic] }))
    assert.equal(metadata.topics.get(flagsTopic)?.partitionsCount, 1)
  })

  test('an outage delays a write, without loss or repetition', {
    skip: 'external' in broker && broker.external,
  }, async () => {
    assert.ok('kill' in broker)
    const events: string[] = []
    const { sink, flagsTopic } = open({ onEvent: (name) => events.push(name) })
    await sink.start()
    await sink.write([flag('a', 0, false)], [])
    await broker.kill()
    const writes = [1, 2, 3].map((window) => sink.write([flag('a', window, false)], []))
    await until(() => events.includes('produce_retry'), 'a word about the outage')
    await broker.start()
    await Promise.all(writes)
    const read = await streamRead(bootstrap, flagsTopic, 4)
    assert.deepEqual(
      read.map(([, , value]) => JSON.parse(value)),
      [0, 1, 2, 3].map((window) => flag('a', window, false)),
    )
    const before = events.length
    await broker.kill()
    const lost = assert.rejects(sink.write([flag('a', 4, false)], []), /could not write to Kafka topic/)
    await until(() => events.length > before, 'another retry')
    await sink.close()
    await lost
  })
})

test("partitions are chosen as by Kafka's Java clients", () => {
  // Values of org.apache.kafka.common.utils.Utils.toPositive(Utils.murmur2(bytes)).
  const golden: [string, number][] = [
    ['', 275646681],
    ['a', 584102524],
    ['ab', 316155434],
    ['abc', 479470107],
    ['abcd', 823834100],
    ['r206n05', 1609624060],
    ['r256n18.example.org', 991566120],
    ['org/cineca/cluster/marconi100/node/r206n05/plugin/ipmi_pub/chnl/data/ambient', 631687084],
    ['Ärger/ü', 794641230],
  ]
  for (const [text, hash] of golden) assert.equal(partitionHash(Buffer.from(text)), hash, text)
})

test('an unreachable broker is named with its config key', async () => {
  const { sink } = open({ brokers: ['127.0.0.1:1'], startTimeoutMs: 500 })
  await assert.rejects(
    sink.start(),
    /no Kafka broker answers at 127\.0\.0\.1:1 \(config key sinks\[0\]\.brokers\)/,
  )
})
