import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaWriter, type OutgoingRecord } from '../sinks/producer.ts'
import {
  assertReachable,
  type ClusterAddress,
  ensureTopics,
  missingTopic,
  rootCause,
  toNumber,
} from '../sources/kafka-cluster.ts'
import { Fetcher, type PartitionState } from '../sources/kafka-fetch.ts'
import type { KafkaSecurity } from '../sources/kafka-security.ts'

/** States by node; null for a node that is gone. */
export type States = ReadonlyMap<string, object | null>

/** Per-node state that outlives the process. The states are JSON; what they mean is the engine's affair. */
export interface Checkpoint {
  /** The latest state of every node. */
  restore(): Promise<Map<string, unknown>>
  /** Stores states; resolves when they are safe. Nodes left out keep what they had. */
  save(states: States): Promise<void>
  close(): Promise<void>
}

export interface KafkaCheckpointOptions {
  brokers: string[]
  clientId: string
  security?: KafkaSecurity
  /** The compacted topic. */
  topic: string
  /** Partitions if it is to be created: as many as the input has, so that a node's state and samples share a number. */
  partitions: number
  startTimeoutMs?: number
  onEvent?: (name: string, detail: string) => void
}

/** Compaction leaves the newest segment alone, so segments must be small for a restore to stay short. */
const SEGMENT_BYTES = 8 * 1024 * 1024
const SEGMENT_MS = 10 * 60 * 1000
/** Share of a log that may be outdated before it is compacted; Kafka's default of one half is for larger logs. */
const DIRTY_RATIO = 0.1
const TOPIC_CONFIGS = [
  { name: 'cleanup.policy', value: 'compact' },
  { name: 'segment.bytes', value: String(SEGMENT_BYTES) },
  { name: 'segment.ms', value: String(SEGMENT_MS) },
  { name: 'min.cleanable.dirty.ratio', value: String(DIRTY_RATIO) },
]

const CHUNK_RECORDS = 4096
/** A restore that hears nothing for this long gives up; the daemon can't run without its state. */
const RESTORE_STALL_MS = 60_000
const RETRY_MS = 100

/** State in a compacted Kafka topic: key = node, value = JSON, partition by Kafka's own rule for the key. */
export class KafkaCheckpoint implements Checkpoint {
  readonly #options: KafkaCheckpointOptions
  readonly #address: ClusterAddress
  readonly #writer: KafkaWriter

  private constructor(options: KafkaCheckpointOptions, address: ClusterAddress) {
    this.#options = options
    this.#address = address
    this.#writer = new KafkaWriter(address, options.onEvent)
  }

  /** Connects and creates the topic if it is missing. Rejects naming the address and config key. */
  static async open(options: KafkaCheckpointOptions): Promise<KafkaCheckpoint> {
    const address = { ...options, brokersKey: 'source.brokers' }
    await assertReachable(address)
    const { topic, partitions } = options
    await ensureTopics(
      address,
      [{ topic, partitions, configs: TOPIC_CONFIGS, key: 'source.state_topic' }],
      true,
    )
    return new KafkaCheckpoint(options, address)
  }

  /**
   * Reads the topic from its beginning to the end it had at the call, and on until every transaction that had begun by then has
   * ended: one of a member that died may still hold states. A record without value deletes its node.
   */
  async restore(): Promise<Map<string, unknown>> {
    const { topic, onEvent } = this.#options
    const states = new Map<string, unknown>()
    let wake = () => {}
    const fetcher = new Fetcher(
      { ...this.#address, topics: [topic], group: this.#options.clientId, committedOnly: true },
      (name, detail) => onEvent?.(name, `${topic}: ${detail}`),
      () => wake(),
    )
    const deadline = () => Date.now() + RESTORE_STALL_MS
    try {
      const parts = await this.#partitions(fetcher, deadline())
      const ends = parts.map((part) => part.end) // fixed now; `end` itself follows the log
      fetcher.assign(parts)
      let giveUp = deadline()
      while (parts.some((part, i) => !fetcher.isReadTo(part, ends[i] as number))) {
        fetcher.pump()
        const records = fetcher.take(CHUNK_RECORDS)
        for (const { key, value, partition, offset } of records) {
          const node = key?.toString('utf8') ?? ''
          if (value === null) states.delete(node)
          else
            states.set(
              node,
              parse(value, `${topic}[${partition}] offset ${offset}, key ${JSON.stringify(node)}`),
            )
        }
        if (records.length > 0) giveUp = deadline()
        else if (Date.now() > giveUp)
          throw new Error(`state topic ${topic}: no answer for ${RESTORE_STALL_MS} ms`)
        else
          await new Promise<void>((resolve) => {
            wake = resolve
            setTimeout(resolve, RETRY_MS)
          })
      }
      return states
    } finally {
      await fetcher.close()
    }
  }

  /** Every partition of the topic from its first offset, `end` the offset after its last record now. */
  async #partitions(fetcher: Fetcher, deadline: number): Promise<PartitionState[]> {
    const { topic } = this.#options
    for (;;) {
      try {
        const metadata = await this.#writer.metadata([topic])
        if ('missing' in metadata) throw missingTopic(topic, 'source.state_topic', this.#address)
        const count = metadata.topics.get(topic)?.partitionsCount ?? 0
        const all = [{ topic, partitions: Array.from({ length: count }, (_, i) => i) }]
        const [starts, ends] = [await fetcher.offsets(all, 'earliest'), await fetcher.offsets(all, 'latest')]
        return (all[0]?.partitions ?? []).map((partition) => {
          const start = toNumber(starts.get(topic)?.[partition] ?? 0n)
          const end = toNumber(ends.get(topic)?.[partition] ?? 0n)
          return { id: partition, topic, partition, fetchFrom: start, position: start, end }
        })
      } catch (error) {
        if (Date.now() > deadline) throw new Error(`could not read state topic ${topic}: ${rootCause(error)}`)
        await sleep(RETRY_MS)
      }
    }
  }

  async save(states: States): Promise<void> {
    await this.#writer.write(this.recordsOf(states))
  }

  /** What `save` writes. */
  recordsOf(states: States): OutgoingRecord[] {
    const { topic } = this.#options
    return [...states].map(([node, state]) => ({
      topic,
      key: Buffer.from(node),
      value: state === null ? null : Buffer.from(JSON.stringify(state)),
    }))
  }

  async close(): Promise<void> {
    await this.#writer.close()
  }
}

function parse(value: Buffer, where: string): unknown {
  try {
    return JSON.parse(value.toString('utf8'))
  } catch (error) {
    throw new Error(
      `state topic ${where}: no JSON (${(error as Error).message}); delete the topic to start without state`,
    )
  }
}
