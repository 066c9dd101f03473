/** Writing to Kafka: acknowledged by all in-sync replicas, idempotent, in requests that every broker takes. */
import { type MessageToProduce, ProduceAcks, Producer } from '@platformatic/kafka'
import {
  assertReachable,
  type ClusterAddress,
  clientOptions,
  missingTopic,
  rootCause,
  topicMetadata,
} from '../sources/kafka-cluster.ts'

export interface OutgoingRecord {
  topic: string
  key: Buffer
  /** Null deletes the key from a compacted topic. */
  value: Buffer | null
  /** What chooses the partition, where it is not the key. */
  partitionBy?: Buffer
}

/** All records of a request for one partition form one batch, which brokers take up to 1 MiB; half leaves room. */
const REQUEST_BYTES = 512 * 1024
/** What a record costs on the wire beside key and value. */
const RECORD_OVERHEAD_BYTES = 24
const RETRY_MS = 500

export class KafkaWriter {
  readonly #producer: Producer
  #last: Promise<unknown> = Promise.resolve()

  /** `onEvent` hears of `produce_retry`: an outage is retried for ever, until `close`. */
  constructor(address: ClusterAddress, onEvent: (name: string, detail: string) => void = () => {}) {
    this.#producer = new Producer({
      ...clientOptions(address),
      idempotent: true,
      acks: ProduceAcks.ALL,
      producerId: -1n, // asks for a new one; the client's default, 0, belongs to somebody else
      producerEpoch: -1,
      retryDelay: RETRY_MS,
    })
    this.#producer.on('client:performWithRetry:retry', (operation: string, attempt: number) =>
      onEvent('produce_retry', `${operation}, attempt ${attempt + 2}`),
    )
  }

  /** Resolves when every record is acknowledged. Calls are served in turn, so that the order of a key's records holds. */
  write(records: readonly OutgoingRecord[]): Promise<void> {
    const turn = this.#last.then(() => this.#send(records))
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Partition counts and leaders; `missing` names a topic that does not exist. */
  metadata(topics: string[]) {
    return topicMetadata(this.#producer, topics)
  }

  /** Ends also a write that is being retried; that one rejects. */
  async close(): Promise<void> {
    await this.#producer.close(true)
  }

  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    for (const messages of requestsOf(records)) {
      try {
        await this.#producer.send({ messages })
      } catch (error) {
        const topics = [...new Set(messages.map((m) => m.topic))]
        throw new Error(`could not write to Kafka topic ${topics.join(', ')}: ${rootCause(error)}`)
      }
    }
  }
}

/** The records as requests, in order. */
export function* requestsOf(records: readonly OutgoingRecord[]): Generator<MessageToProduce[], void> {
  for (let begin = 0; begin < records.length; ) {
    let end = begin
    for (let bytes = 0; end < records.length; end++) {
      const { key, value } = records[end] as OutgoingRecord // end < length
      bytes += key.length + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES
      if (bytes > REQUEST_BYTES && end > begin) break
    }
    yield records.slice(begin, end).map(({ topic, key, value, partitionBy }) => ({
      topic,
      key,
      value: value as Buffer, // null is valid on the wire
      partition: partitionHash(partitionBy ?? key), // the client takes it modulo the number of partitions
    }))
    begin = end
  }
}

/**
 * Kafka's choice of partition for a key, before the modulo: murmur2 (A. Appleby) without its sign, as Kafka's own Java
 * clients do, so that a node lands on the same partition whoever produces it.
 */
export function partitionHash(key: Uint8Array): number {
  const length = key.length
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ length
  let i = 0
  for (; i + 3 < length; i += 4) {
    // i + 3 < length
    let k =
      (key[i] as number) |
      ((key[i + 1] as number) << 8) |
      ((key[i + 2] as number) << 16) |
      ((key[i + 3] as number) << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  if (i < length) {
    for (let shift = 0; i < length; i++, shift += 8) h ^= (key[i] as number) << shift
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  h ^= h >>> 15
  return h & 0x7fffffff
}

/**
 * A writer to a topic that must be there. Rejects when no broker answers or the topic does not exist; `topicKey` names the
 * option or config key of the topic in that message.
 */
export async function openWriter(
  address: ClusterAddress,
  topic: string,
  topicKey: string,
  onEvent?: (name: string, detail: string) => void,
): Promise<KafkaWriter> {
  await assertReachable(address)
  const writer = new KafkaWriter(address, onEvent)
  const metadata = await writer.metadata([topic])
  if (!('missing' in metadata)) return writer
  await writer.close()
  throw missingTopic(topic, topicKey, address)
}

export interface RecordProducer {
  /** Resolves when all are acknowledged. */
  send(records: { key: Buffer; value: Buffer; node: string }[]): Promise<void>
  close(): Promise<void>
}

/**
 * A producer of samples in ExaMon's form, key = MQTT topic. `keyed` says what chooses the partition: `topic` the key, as
 * bridges do, which spreads a node over all partitions; `node` the node, which keeps it on one. Rejects when no broker
 * answers or the topic does not exist; `brokersKey` names the option or config key of the addresses in that message.
 */
export async function openRecordProducer(options: {
  brokers: string[]
  topic: string
  clientId: string
  keyed: 'topic' | 'node'
  brokersKey?: string
}): Promise<RecordProducer> {
  const { topic, keyed, brokersKey = '--brokers' } = options
  const writer = await openWriter({ ...options, brokersKey }, topic, '--topic')
  return {
    send: (records) =>
      writer.write(
        records.map(({ key, value, node }) =>
          keyed === 'node' ? { topic, key, value, partitionBy: Buffer.from(node) } : { topic, key, value },
        ),
      ),
    close: () => writer.close(),
  }
}
