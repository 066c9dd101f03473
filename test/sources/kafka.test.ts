import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { KafkaSource, type KafkaSourceOptions } from '../../src/sources/kafka.ts'
import type { SourceRecord } from '../../src/sources/source.ts'
import { startBroker } from '../support/broker.ts'
import {
  createTopic,
  pollUntil,
  produceRaw,
  type RawRecord,
  uniqueName,
  until,
  withAdmin,
} from '../support/kafka.ts'

const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
})

function open(topics: string[], options: Partial<KafkaSourceOptions> = {}) {
  const events: string[] = []
  const source = new KafkaSource({
    brokers: [bootstrap],
    topics,
    group: uniqueName('group'),
    clientId: 'test',
    from: 'earliest',
    onEvent: (name, detail) => events.push(`${name}: ${detail}`),
    ...options,
  })
  return { source, events }
}

function numbered(count: number, partitions: number, first = 0): RawRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    partition: (first + i) % partitions,
    key: Buffer.from(`key ${first + i}`),
    value: Buffer.from(`value ${first + i}`),
  }))
}

const texts = (records: SourceRecord[]) => records.map((r) => String(r.value)).sort()

describe('Kafka source', { skip }, () => {
  test('a restart goes on at the committed offsets, and progress tells the lag', async () => {
    const topic = await createTopic(bootstrap, 3)
    const group = uniqueName('group')
    await produceRaw(bootstrap, topic, numbered(3000, 3))
    const first = open([topic], { group }).source
    await first.start()
    const seen = await pollUntil(first, ({ records }) => records.length >= 3000)
    assert.deepEqual(
      seen.assignments.map((a) => a.toSorted()),
      [[0, 1, 2]],
    )
    assert.deepEqual(texts(seen.records), texts(numbered(3000, 3) as unknown as SourceRecord[]))
    for (const partition of [0, 1, 2]) {
      const offsets = seen.records.filter((r) => r.partition === partition).map((r) => r.offset)
      assert.deepEqual(
        offsets,
        Array.from({ length: 1000 }, (_, i) => i),
        'in order, none twice',
      )
    }
    assert.deepEqual(
      first.progress().toSorted((a, b) => a.partition - b.partition),
      [0, 1, 2].map((partition) => ({ partition, position: 1000, end: 1000 })),
    )
    // Behind what was read, and each differently: an open window needs older samples.
    await first.commit(
      new Map([
        [0, 990],
        [1, 500],
        [2, 1000],
      ]),
    )
    await first.close()

    const second = open([topic], { group }).source
    await second.start()
    await pollUntil(second, ({ assignments }) => assignments.length > 0)
    assert.deepEqual(
      second
        .progress()
        .toSorted((a, b) => a.partition - b.partition)
        .map((p) => p.end - p.position),
      [10, 500, 0],
    )
    const again = await pollUntil(second, ({ records }) => records.length >= 510)
    assert.equal(again.records.length, 510)
    assert.equal(Math.min(...again.records.filter((r) => r.partition === 1).map((r) => r.offset)), 500)
    await second.close()
  })

  test('headers arrive, in order and as bytes', async () => {
    const topic = await createTopic(bootstrap, 1)
    const headers = [
      [Buffer.from('mqtt.topic'), Buffer.from('node/n/plugin/p/chnl/data/a')],
      [Buffer.from('odd'), Buffer.from([0xff, 0])],
    ] as const
    await produceRaw(bootstrap, topic, [
      { partition: 0, key: null, value: Buffer.from('1;1'), headers },
      { partition: 0, key: null, value: Buffer.from('2;1') },
    ])
    const { source } = open([topic])
    await source.start()
    const { records } = await pollUntil(source, (seen) => seen.records.length >= 2)
    assert.deepEqual(
      records.map((record) => record.headers?.map(([name, value]) => [String(name), value?.toString('hex')])),
      [
        [
          ['mqtt.topic', Buffer.from('node/n/plugin/p/chnl/data/a').toString('hex')],
          ['odd', 'ff00'],
        ],
        [],
      ],
    )
    await source.close()
  })

  test('records without key or value, and bytes that are no text, arrive untouched', async () => {
    const topic = await createTopic(bootstrap, 1)
    const odd: RawRecord[] = [
      { partition: 0, key: null, value: Buffer.from('x') },
      { partition: 0, key: Buffer.from('k'), value: null },
      { partition: 0, key: Buffer.alloc(0), value: Buffer.alloc(0) },
      { partition: 0, key: Buffer.from([0, 255, 128]), value: Buffer.from([0xff, 0xfe, 0]) },
    ]
    await produceRaw(bootstrap, topic, odd)
    const { source } = open([topic])
    await source.start()
    const { records } = await pollUntil(source, (seen) => seen.records.length >= odd.length)
    assert.deepEqual(
      records.map(({ key, value }) => ({ partition: 0, key, value })),
      odd,
    )
    await source.close()
  })

  test('every compression is read, also batches larger than one fetch, on all partitions', async () => {
    const topic = await createTopic(bootstrap, 3)
    const value = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 7919) % 251))
    const codecs = ['none', 'gzip', 'lz4', 'zstd', 'snappy'] as const
    for (const codec of codecs) {
      const records = [0, 1, 2].flatMap((partition) =>
        Array.from({ length: 1500 }, () => ({ partition, key: Buffer.from(codec), value })),
      )
      await produceRaw(bootstrap, topic, records, codec)
    }
    const { source } = open([topic])
    await source.start()
    const { records } = await pollUntil(source, (seen) => seen.records.length >= 3 * 1500 * codecs.length)
    for (const codec of codecs)
      assert.equal(records.filter((r) => String(r.key) === codec).length, 4500, codec)
    assert.ok(records.every((r) => r.value?.equals(value)))
    await source.close()
  })

  test('partitions of several topics are numbered one after the other', async () => {
    const topics = [await createTopic(bootstrap, 2), await createTopic(bootstrap, 3)]
    await produceRaw(bootstrap, topics[0] as string, numbered(2, 2))
    await produceRaw(bootstrap, topics[1] as string, numbered(3, 3, 3))
    const group = uniqueName('group')
    const { source } = open(topics, { group })
    await source.start()
    const seen = await pollUntil(source, ({ records }) => records.length >= 5)
    assert.deepEqual(
      seen.assignments.map((a) => a.toSorted()),
      [[0, 1, 2, 3, 4]],
    )
    const where = new Map(seen.records.map((r) => [String(r.value), r.partition]))
    assert.deepEqual(
      [0, 1, 3, 4, 5].map((i) => where.get(`value ${i}`)),
      [0, 1, 2, 3, 4],
    )
    assert.equal(source.partitionCount, 5)
    await source.commit(new Map([[4, 1]]))
    await source.close()
    const committed = await withAdmin(bootstrap, (admin) =>
      admin.listConsumerGroupOffsets({ groups: [group] }),
    )
    const offsets = committed[0]?.topics.flatMap((t) =>
      t.partitions.map((p) => [t.name, p.partitionIndex, p.committedOffset]),
    )
    assert.deepEqual(offsets, [[topics[1], 2, 1n]])
  })

  test('two members share the partitions, and the one that stays takes over', async () => {
    const topic = await createTopic(bootstrap, 4)
    const group = uniqueName('group')
    const [a, b] = [open([topic], { group }).source, open([topic], { group }).source]
    await a.start()
    await pollUntil(a, ({ assignments }) => assignments.at(-1)?.length === 4)
    const [, seenByA, seenByB] = await Promise.all([
      b.start(),
      pollUntil(a, ({ assignments }) => assignments.at(-1)?.length === 2),
      pollUntil(b, ({ assignments }) => assignments.at(-1)?.length === 2),
    ])
    const shares = [...(seenByA.assignments.at(-1) ?? []), ...(seenByB.assignments.at(-1) ?? [])]
    assert.deepEqual(shares.toSorted(), [0, 1, 2, 3])
    await produceRaw(bootstrap, topic, numbered(400, 4))
    const [fromA, fromB] = await Promise.all(
      [a, b].map((s) => pollUntil(s, ({ records }) => records.length >= 200)),
    )
    assert.equal(
      new Set([...(fromA?.records ?? []), ...(fromB?.records ?? [])].map((r) => String(r.key))).size,
      400,
    )
    await Promise.all(
      [a, b].map((s) => s.commit(new Map(s.progress().map((p) => [p.partition, p.position])))),
    )
    const began = performance.now()
    await b.close()
    await pollUntil(a, ({ assignments }) => assignments.at(-1)?.length === 4)
    assert.ok(performance.now() - began < 5000, 'leaving hands over at once, not after the session time-out')
    await produceRaw(bootstrap, topic, numbered(40, 4, 400))
    const { records } = await pollUntil(a, (seen) => seen.records.length >= 40)
    assert.equal(records.length, 40, 'what the other had committed is not read again')
    await a.close()
  })

  test('a commit by a member that was put out is no error, and leads to a new assignment', async () => {
    const topic = await createTopic(bootstrap, 1)
    const group = uniqueName('group')
    const { source, events } = open([topic], { group })
    await source.start()
    await pollUntil(source, ({ assignments }) => assignments.length > 0)
    await withAdmin(bootstrap, (admin) =>
      admin.removeMembersFromConsumerGroup({ groupId: group, members: null }),
    )
    await source.commit(new Map([[0, 0]]))
    await pollUntil(source, ({ assignments }) => assignments.length > 0)
    assert.ok(!events.some((e) => e.startsWith('commit_failed')), events.join('\n'))
    await source.commit(new Map([[0, 0]]))
    const offsets = await withAdmin(bootstrap, (admin) => admin.listConsumerGroupOffsets({ groups: [group] }))
    assert.equal(offsets[0]?.topics[0]?.partitions[0]?.committedOffset, 0n)
    await source.close()
  })

  test('of two processes with one instance id the older stops and says why', async () => {
    const topic = await createTopic(bootstrap, 1)
    const options = { group: uniqueName('group'), instanceId: 'one' }
    const [a, b] = [open([topic], options).source, open([topic], options).source]
    await a.start()
    await pollUntil(a, ({ assignments }) => assignments.length > 0)
    await b.start()
    await assert.rejects(
      pollUntil(a, () => false),
      /another process joined the consumer group .* with the instance id one/,
    )
    await pollUntil(b, ({ assignments }) => assignments.length > 0)
    await a.close()
    await produceRaw(bootstrap, topic, numbered(1, 1))
    await pollUntil(b, ({ records }) => records.length === 1)
    await b.close()
  })

  test('an offset that retention took away is reported, and reading goes on at the first record left', async () => {
    const topic = await createTopic(bootstrap, 1)
    await produceRaw(bootstrap, topic, numbered(100, 1))
    const group = uniqueName('group')
    const before = open([topic], { group }).source
    await before.start()
    await pollUntil(before, ({ records }) => records.length >= 100)
    await before.commit(new Map([[0, 10]]))
    await before.close()
    await withAdmin(bootstrap, (admin) =>
      admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 60n }] }] }),
    )
    const { source, events } = open([topic], { group })
    await source.start()
    const { records } = await pollUntil(source, (seen) => seen.records.length >= 40)
    assert.equal(records[0]?.offset, 60)
    assert.deepEqual(events, [`offset_out_of_range: ${topic}[0]: offset 10 is not there, reading from 60`])
    await source.close()
  })

  test('from: latest leaves out what was there before', async () => {
    const topic = await createTopic(bootstrap, 1)
    await produceRaw(bootstrap, topic, numbered(10, 1))
    const { source } = open([topic], { from: 'latest' })
    await source.start()
    await pollUntil(source, ({ assignments }) => assignments.length > 0)
    await produceRaw(bootstrap, topic, numbered(1, 1, 10))
    const { records } = await pollUntil(source, (seen) => seen.records.length > 0)
    assert.deepEqual(texts(records), ['value 10'])
    await source.close()
  })

  test('a missing topic is named', async () => {
    const { source } = open(['no-such-topic'])
    await assert.rejects(
      source.start(),
      /topic no-such-topic does not exist on .*config key source\.topics.*--create/,
    )
  })

  test('an outage of the broker is sat out', { skip: 'external' in broker && broker.external }, async () => {
    assert.ok('kill' in broker)
    const topic = await createTopic(bootstrap, 2)
    const { source, events } = open([topic])
    await source.start()
    await produceRaw(bootstrap, topic, numbered(10, 2))
    await pollUntil(source, ({ records }) => records.length >= 10)
    await broker.kill()
    await until(async () => {
      assert.notEqual((await source.poll(100)).kind, 'end')
      return events.some((e) => e.startsWith('fetch_failed'))
    }, 'a word about the outage')
    await source.commit(new Map([[0, 5]])) // resolves, reported below
    await broker.start()
    await produceRaw(bootstrap, topic, numbered(10, 2, 10))
    const { records } = await pollUntil(source, (seen) =>
      seen.records.some((r) => String(r.value) === 'value 19'),
    )
    assert.ok(records.length >= 10)
    await source.close()
  })
})

test('an unreachable broker is named with its config key, in time', async () => {
  const { source } = open(['any'], { brokers: ['127.0.0.1:1'], startTimeoutMs: 1000 })
  const began = performance.now()
  await assert.rejects(
    source.start(),
    /no Kafka broker answers at 127\.0\.0\.1:1 \(config key source\.brokers\): .*ECONNREFUSED/,
  )
  assert.ok(performance.now() - began < 5000)
})
