/** Transactions against a real broker: what a zombie, an abort or a death in between may not do. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { KafkaCheckpoint } from '../../src/engine/checkpoint.ts'
import type { OutgoingRecord } from '../../src/sinks/producer.ts'
import { TransactionalWriter, type TransactionIdentity } from '../../src/sinks/transaction.ts'
import { rootCause } from '../../src/sources/kafka-cluster.ts'
import { GroupMember, type Membership } from '../../src/sources/kafka-group.ts'
import { startBroker } from '../support/broker.ts'
import { createTopic, uniqueName, until } from '../support/kafka.ts'
import { readFlags } from '../support/line.ts'

const broker = await startBroker()
const skip = 'skip' in broker ? broker.skip : false
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
})

const address = { brokers: [bootstrap], clientId: 'test', brokersKey: 'test' }
const none = async (): Promise<void> => {}

const record = (topic: string, key: string, value: unknown): OutgoingRecord => ({
  topic,
  key: Buffer.from(key),
  value: Buffer.from(JSON.stringify(value)),
})

async function writer(id = uniqueName('tx')): Promise<TransactionalWriter> {
  const opened = new TransactionalWriter(address, id)
  await opened.open()
  return opened
}

/** Member of a group, with the memberships that it has had. */
function member(topic: string, group: string) {
  const had: Membership[] = []
  const joined = new GroupMember(
    { ...address, topics: [topic], group },
    {
      joined: (membership) => had.push(membership),
      lost: () => {},
      failed: (error) => assert.fail(error),
      event: () => {},
    },
  )
  return { member: joined, had }
}

/** The committed offset, once the markers of its transaction are written. */
async function committedTo(of: GroupMember, topic: string): Promise<number> {
  let offset = Number.NaN
  await until(async () => {
    try {
      offset = Number((await of.committed([{ topic, partitions: [0] }])).get(topic)?.get(0))
      return true
    } catch (error) {
      assert.match(rootCause(error), /unstable/)
      return false
    }
  }, 'the offset is stable')
  return offset
}

/** Leaves a transaction with these records open, as a process that stands still would; `goOn` lets it continue. */
async function openTransaction(by: TransactionalWriter, records: OutgoingRecord[]) {
  let goOn = (): void => {}
  let outcome: Promise<unknown> = Promise.resolve()
  await new Promise<void>((sent) => {
    outcome = by
      .commit(records, async () => {
        sent()
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      })
      .then(
        () => null,
        (error: unknown) => error,
      )
  })
  return { goOn, outcome }
}

describe('transactions', { skip }, () => {
  test('records and offsets become visible together, in as many requests as they need', async () => {
    const topic = await createTopic(bootstrap, 3)
    const group = uniqueName('group')
    const { member: reader, had } = member(topic, group)
    await reader.join()
    const by = await writer()
    const padding = 'x'.repeat(1000)
    const records = Array.from({ length: 2000 }, (_, i) => record(topic, `n${i}`, { i, padding }))
    for (const offset of [7, 3]) {
      await by.commit(records, (identity) =>
        reader.commitWithin(identity, had.at(-1) as Membership, [{ topic, partition: 0, offset }]),
      )
      assert.equal(await committedTo(reader, topic), offset, 'also backwards')
    }
    const read = (await readFlags(bootstrap, topic)) as unknown as { i: number }[]
    assert.equal(read.length, 4000)
    assert.equal(new Set(read.map(({ i }) => i)).size, 2000)
    await by.close()
    await reader.close()
  })

  test('a member whose generation is over commits nothing', async () => {
    const topic = await createTopic(bootstrap, 1)
    const group = uniqueName('group')
    const zombie = member(topic, group)
    await zombie.member.join()
    const [old] = zombie.had
    assert.ok(old)
    const other = member(topic, group)
    await other.member.join()
    await until(() => zombie.had.length > 1, 'the first has joined again')
    const by = await writer()
    const commit = (identity: TransactionIdentity) =>
      zombie.member.commitWithin(identity, old, [{ topic, partition: 0, offset: 5 }])
    await assert.rejects(by.commit([record(topic, 'n', 'zombie')], commit), (error) => {
      assert.match(rootCause(error), /generation/i)
      return true
    })
    await by.open() // aborts it
    await by.commit([record(topic, 'n', 'well')], none)
    assert.deepEqual(await readFlags(bootstrap, topic), ['well'])
    assert.equal(await committedTo(other.member, topic), -1)
    await Promise.all([by.close(), zombie.member.close(), other.member.close()])
  })

  test('a newer process of the same name ends the transaction of the older one', async () => {
    const topic = await createTopic(bootstrap, 1)
    const id = uniqueName('tx')
    const older = await writer(id)
    const { goOn, outcome } = await openTransaction(older, [record(topic, 'n', 'older')])
    const newer = await writer(id)
    await newer.commit([record(topic, 'n', 'newer')], none)
    goOn()
    assert.ok((await outcome) instanceof Error)
    assert.deepEqual(await readFlags(bootstrap, topic), ['newer'])
    await Promise.all([older.close(), newer.close()])
  })

  for (const isCommitted of [true, false])
    test(`a restore waits for an open transaction, which ${isCommitted ? 'commits' : 'is aborted'}`, async () => {
      const topic = uniqueName('state')
      const checkpoint = await KafkaCheckpoint.open({
        brokers: [bootstrap],
        clientId: 'test',
        topic,
        partitions: 1,
      })
      await checkpoint.save(new Map([['n', { v: 1 }]]))
      const id = uniqueName('tx')
      const by = await writer(id)
      const { goOn, outcome } = await openTransaction(by, checkpoint.recordsOf(new Map([['n', { v: 2 }]])))
      let isRestored = false
      const restored = checkpoint.restore().finally(() => {
        isRestored = true
      })
      await checkpoint.save(new Map([['other', { v: 3 }]])) // a round trip to the broker, and more to read
      assert.equal(isRestored, false)
      const next = isCommitted ? null : await writer(id)
      goOn()
      assert.equal((await outcome) === null, isCommitted)
      assert.deepEqual((await restored).get('n'), { v: isCommitted ? 2 : 1 })
      await Promise.all([by.close(), next?.close(), checkpoint.close()])
    })

  test('after a death in a transaction the partition is the same for who comes next', async () => {
    const topic = await createTopic(bootstrap, 1)
    const id = uniqueName('tx')
    for (let i = 0; i < 3; i++) {
      const dead = await writer(id)
      await openTransaction(dead, [record(topic, 'n', `lost ${i}`)])
      await dead.close()
    }
    const alive = await writer(id)
    await alive.commit([record(topic, 'n', 'kept')], none)
    assert.deepEqual(await readFlags(bootstrap, topic), ['kept'])
    await alive.close()
  })
})
