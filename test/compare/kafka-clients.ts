/**
 * Why @platformatic/kafka: reads one topic of a real broker by `consumer.fetch` and by kafkajs' `eachBatch`, each in a process of
 * its own, in turns. The clock runs from the first records on, so that joining a group counts for neither.
 */
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { type Cell, renderTable } from '../../src/evaluate/table.ts'
import { startBroker } from '../support/broker.ts'
import { machine } from './machine.ts'
import { cpuSeconds, installPeers, loadPeer, measureApart, peakMegabytes } from './peers.ts'

const KAFKAJS = 'kafkajs@2.2.4'
const RECORDS = 1_000_000
const PARTITIONS = 4
const ROUNDS = 3
const TOPIC = 'examon'
/** Same for both clients, kafkajs' default. */
const PARTITION_MAX_BYTES = 1024 * 1024
const RECORDS_A_SEND = 5_000

interface Figures {
  records: number
  bytes: number
  seconds: number
  cpu: number
  megabytes: number
}

/** Counts records from the second batch on; `bytes` makes sure that key and value were there to be read. */
class Meter {
  private started: { time: number; cpu: NodeJS.CpuUsage; records: number } | null = null
  private records = 0
  private bytes = 0

  /** True when all records were seen. */
  batch(records: Iterable<{ key: Buffer | null; value: Buffer | null }>): boolean {
    for (const { key, value } of records) {
      this.records++
      this.bytes += (key?.length ?? 0) + (value?.length ?? 0)
    }
    this.started ??= { time: performance.now(), cpu: process.cpuUsage(), records: this.records }
    return this.records >= RECORDS
  }

  figures(): Figures {
    if (!this.started) throw new Error('no records were read')
    return {
      records: this.records - this.started.records,
      bytes: this.bytes,
      seconds: (performance.now() - this.started.time) / 1000,
      cpu: cpuSeconds(this.started.cpu),
      megabytes: peakMegabytes(),
    }
  }
}

async function readByFetch(bootstrap: string): Promise<Figures> {
  const consumer = new Consumer({ clientId: 'compare', groupId: 'unused', bootstrapBrokers: [bootstrap] })
  consumer.topics.trackAll(TOPIC)
  const metadata = await consumer.metadata({ topics: [TOPIC] })
  const topic = metadata.topics.get(TOPIC)
  const [node] = metadata.brokers.keys()
  if (!topic || node === undefined) throw new Error(`no topic ${TOPIC}`)
  const next = new Array<bigint>(PARTITIONS).fill(0n)
  const meter = new Meter()
  for (let done = false; !done; ) {
    const partitions = next.map((fetchOffset, partition) => ({
      partition,
      fetchOffset,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: PARTITION_MAX_BYTES,
    }))
    const response = await consumer.fetch({ node, topics: [{ topicId: topic.id, partitions }] })
    for (const { partitionIndex, records } of response.responses.flatMap((answer) => answer.partitions)) {
      for (const batch of records ?? []) {
        next[partitionIndex] = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
        done = meter.batch(batch.records)
      }
    }
  }
  const figures = meter.figures()
  await consumer.close()
  return figures
}

/** What is used of kafkajs. */
interface KafkaJs {
  Kafka: new (options: {
    clientId: string
    brokers: string[]
    logLevel: number
  }) => {
    consumer(options: { groupId: string; maxBytesPerPartition: number }): {
      connect(): Promise<void>
      subscribe(options: { topics: string[]; fromBeginning: boolean }): Promise<void>
      run(options: {
        partitionsConsumedConcurrently: number
        autoCommit: boolean
        eachBatch(payload: {
          batch: { messages: { key: Buffer | null; value: Buffer | null }[] }
        }): Promise<void>
      }): Promise<void>
      disconnect(): Promise<void>
    }
  }
  logLevel: { ERROR: number }
}

async function readByKafkaJs(bootstrap: string, peers: string): Promise<Figures> {
  const { Kafka, logLevel } = loadPeer<KafkaJs>(peers, 'kafkajs')
  const kafka = new Kafka({ clientId: 'compare', brokers: [bootstrap], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({
    groupId: `compare-${process.pid}`,
    maxBytesPerPartition: PARTITION_MAX_BYTES,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true })
  const meter = new Meter()
  const figures = await new Promise<Figures>((resolve, reject) => {
    consumer
      .run({
        partitionsConsumedConcurrently: PARTITIONS,
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          if (meter.batch(batch.messages)) resolve(meter.figures())
        },
      })
      .catch(reject)
  })
  await consumer.disconnect()
  return figures
}

/** Small records in ExaMon's reference form, key = MQTT topic, value = `value;unix_seconds`. */
async function fill(bootstrap: string): Promise<void> {
  const admin = new Admin({ clientId: 'compare', bootstrapBrokers: [bootstrap] })
  await admin.createTopics({ topics: [TOPIC], partitions: PARTITIONS, replicas: 1 })
  await admin.close()
  const producer = new Producer({ clientId: 'compare', bootstrapBrokers: [bootstrap] })
  const prefix = 'org/unibo/cluster/marconi100/node'
  for (let from = 0; from < RECORDS; from += RECORDS_A_SEND) {
    const messages = Array.from({ length: RECORDS_A_SEND }, (_, i) => {
      const n = from + i
      const node = `r${200 + (n % 49)}n${String(n % 20).padStart(2, '0')}`
      const key = `${prefix}/${node}/plugin/ipmi_pub/chnl/data/p0_core${n % 24}_temp`
      const value = `${40 + (n % 30)}.5;${1583712000 + Math.floor(n / 5000)}`
      return { topic: TOPIC, partition: n % PARTITIONS, key: Buffer.from(key), value: Buffer.from(value) }
    })
    await producer.send({ messages })
  }
  await producer.close()
}

const [client, bootstrapArgument = '', peersArgument = ''] = process.argv.slice(2)
if (client === 'fetch') {
  console.log(JSON.stringify(await readByFetch(bootstrapArgument)))
} else if (client === 'kafkajs') {
  console.log(JSON.stringify(await readByKafkaJs(bootstrapArgument, peersArgument)))
} else {
  await compare()
}

async function compare(): Promise<void> {
  const broker = await startBroker()
  if ('skip' in broker) throw new Error(broker.skip)
  const peers = await installPeers([KAFKAJS])
  try {
    await fill(broker.bootstrap)
    const rows: Cell[][] = []
    const ratios: number[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      const rates: number[] = []
      for (const name of ['fetch', 'kafkajs']) {
        const figures = await measureApart<Figures>(import.meta.filename, [
          name,
          broker.bootstrap,
          peers.folder,
        ])
        const rate = figures.records / figures.seconds
        rates.push(rate)
        const label = name === 'fetch' ? '@platformatic/kafka consumer.fetch' : `${KAFKAJS} eachBatch`
        rows.push([round, label, rate / 1000, figures.cpu / (figures.records / 1e6), figures.megabytes])
      }
      ratios.push((rates[0] ?? 0) / (rates[1] ?? 0))
    }
    console.log(`${machine()}; ${RECORDS} records in ${PARTITIONS} partitions, broker on the same machine`)
    console.log(
      renderTable(
        [
          { title: 'round' },
          { title: 'client' },
          { title: 'k records/s', decimals: 0 },
          { title: 'CPU s/M records', decimals: 2 },
          { title: 'peak RSS MB', decimals: 0 },
        ],
        rows,
      ),
    )
    console.log(`rate, fetch to kafkajs: ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}`)
  } finally {
    await peers.remove()
    await broker.stop()
  }
}
