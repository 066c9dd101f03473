import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { KafkaCheckpoint } from '../../src/engine/checkpoint.ts'
import { startBroker } from '../support/broker.ts'
import { produceRaw, uniqueName, withAdmin } from '../support/kafka.ts'

const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
})

const open = (topic: string, partitions: number) =>
  KafkaCheckpoint.open({ brokers: [bootstrap], clientId: 'test', topic, partitions })

describe('checkpoint in Kafka', { skip }, () => {
  test('the latest state of every node comes back after many overwrites', async () => {
    const topic = uniqueName('state')
    const writer = await open(topic, 3)
    assert.deepEqual(await writer.restore(), new Map(), 'a new topic is empty')
    const nodes = Array.from({ length: 50 }, (_, i) => `r2${i}n01`)
    const expected = new Map<string, unknown>()
    for (let round = 0; round < 100; round++) {
      const states = new Map(
        nodes.filter((_, i) => round % (i + 1) === 0).map((node) => [node, { round, node, list: [1, 2] }]),
      )
      for (const [node, state] of states) expected.set(node, state)
      await writer.save(states)
    }
    await writer.close()
    const reader = await open(topic, 3)
    assert.deepEqual([...(await reader.restore())].toSorted(), [...expected].toSorted())
    await reader.save(new Map([['r20n01', { round: 'last' }]]))
    assert.deepEqual((await reader.restore()).get('r20n01'), { round: 'last' })
    await reader.close()
  })

  test('the topic is compacted in small segments, with the partitions asked for', async () => {
    const topic = uniqueName('state')
    const checkpoint = await open(topic, 5)
    await checkpoint.close()
    await withAdmin(bootstrap, async (admin) => {
      const [described] = await admin.describeConfigs({
        resources: [
          { resourceType: 2, resourceName: topic, configurationKeys: ['cleanup.policy', 'segment.bytes'] },
        ],
      })
      const values = described?.configs.map((c) => [c.name, c.value]).toSorted()
      assert.deepEqual(values, [
        ['cleanup.policy', 'compact'],
        ['segment.bytes', '8388608'],
      ])
      assert.equal((await admin.metadata({ topics: [topic] })).topics.get(topic)?.partitionsCount, 5)
    })
  })

  test('what was deleted stays away, and what is no JSON is named with its place', async () => {
    const topic = uniqueName('state')
    const checkpoint = await open(topic, 1)
    await checkpoint.save(
      new Map([
        ['a', { x: 1 }],
        ['b', { x: 2 }],
      ]),
    )
    await produceRaw(bootstrap, topic, [{ partition: 0, key: Buffer.from('a'), value: null }])
    assert.deepEqual(await checkpoint.restore(), new Map([['b', { x: 2 }]]))
    await produceRaw(bootstrap, topic, [{ partition: 0, key: Buffer.from('b'), value: Buffer.from('{') }])
    await assert.rejects(
      checkpoint.restore(),
      new RegExp(`state topic ${topic}\\[0\\] offset 3, key "b": no JSON`),
    )
    await checkpoint.close()
  })

  test('states larger than one request come back', async () => {
    const topic = uniqueName('state')
    const checkpoint = await open(topic, 2)
    const states = new Map(
      Array.from({ length: 300 }, (_, i) => [`n${i}`, { i, filler: 'x'.repeat(10_000) }]),
    )
    await checkpoint.save(states)
    assert.deepEqual([...(await checkpoint.restore())].toSorted(), [...states].toSorted())
    await checkpoint.close()
  })
})

test('an unreachable broker is named with its config key', async () => {
  const options = {
    brokers: ['127.0.0.1:1'],
    clientId: 'test',
    topic: 'state',
    partitions: 1,
    startTimeoutMs: 500,
  }
  await assert.rejects(KafkaCheckpoint.open(options), /127\.0\.0\.1:1 \(config key source\.brokers\)/)
})
