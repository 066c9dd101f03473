import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import type { TransactionIdentity } from '../sinks/transaction.ts'
import {
  assertReachable,
  clientOptions,
  missingTopic,
  rootCause,
  toNumber,
  topicMetadata,
} from './kafka-cluster.ts'
import { Fetcher, type PartitionState } from './kafka-fetch.ts'
import { GroupMember, type Membership, type PartitionOffset } from './kafka-group.ts'
import type { KafkaSecurity } from './kafka-security.ts'
import type { PartitionProgress, Source, SourceEvent } from './source.ts'

export interface KafkaSourceOptions {
  brokers: string[]
  topics: string[]
  group: string
  clientId: string
  security?: KafkaSecurity
  /** Static membership; each process needs its own. */
  instanceId?: string
  /** Where to begin in a partition for which the group has committed nothing. */
  from: 'earliest' | 'latest'
  /** How long `start` waits for a broker, ms; 10,000 unless told. */
  startTimeoutMs?: number
  /**
   * What happens beside the records, for log lines and counters: `fetch_failed`, `fetch_recovered`, `offset_out_of_range`,
   * `heartbeat_failed`, `rejoin`, `commit_stale`, `commit_failed`, `assign_failed`, `leave_failed`.
   */
  onEvent?: (name: string, detail: string) => void
}

/** Records handed on at once: a few ms of work for the engine. */
const CHUNK_RECORDS = 4096
const FIRST_BACKOFF_MS = 200
const MAX_BACKOFF_MS = 5_000

/**
 * Kafka as a source: one consumer for the membership in the group, one for reading. Partitions of several topics are
 * numbered densely in the order of `topics`; with one topic the numbers are Kafka's own. Once started, an outage of the
 * cluster is retried for ever, and `poll` says `idle`.
 */
export class KafkaSource implements Source {
  readonly kind = 'kafka'
  readonly #options: KafkaSourceOptions & { brokersKey: string }
  readonly #fetcher: Fetcher
  readonly #member: GroupMember
  /** Numbers of the partitions by topic. */
  readonly #ids = new Map<string, number>()
  /** An assignment with its offsets, not yet told. */
  #ready: { membership: Membership; parts: PartitionState[] } | null = null
  /** The assignment that the reader knows of and that holds. */
  #active: { membership: Membership; parts: PartitionState[] } | null = null
  #failure: Error | null = null
  #closed = false
  #wake: () => void = () => {}

  constructor(options: KafkaSourceOptions) {
    this.#options = { ...options, brokersKey: 'source.brokers' }
    const event = (name: string, detail: string) => options.onEvent?.(name, detail)
    this.#fetcher = new Fetcher(this.#options, event, () => this.#wake())
    this.#member = new GroupMember(this.#options, {
      joined: (membership) => {
        this.#drop()
        void this.#prepare(membership)
      },
      lost: () => this.#drop(),
      failed: (error) => {
        this.#failure = error
        this.#wake()
      },
      event,
    })
  }

  /** Partitions of all topics together, known after `start`; what is keyed like the input wants as many. */
  get partitionCount(): number {
    return this.#ids.size
  }

  async start(): Promise<void> {
    try {
      await assertReachable(this.#options)
      await this.#numberPartitions()
      await this.#member.join().catch((error: unknown) => {
        const { brokers, group } = this.#options
        throw new Error(
          `could not join group ${group} on ${brokers.join(', ')} (config key source.group): ${rootCause(error)}`,
        )
      })
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async poll(timeoutMs: number): Promise<SourceEvent> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      if (this.#ready !== null) {
        this.#active = this.#ready
        this.#ready = null
        this.#fetcher.assign(this.#active.parts)
        const partitions = this.#active.parts.map(({ id }) => id)
        return { kind: 'assigned', partitions, isWhole: partitions.length === this.partitionCount }
      }
      const records = this.#fetcher.take(CHUNK_RECORDS)
      // The next answer travels while the engine works on what it has.
      if (this.#fetcher.queued <= CHUNK_RECORDS) this.#fetcher.pump()
      if (records.length > 0) return { kind: 'records', records }
      const left = deadline - performance.now()
      if (left <= 0 || this.#closed) return { kind: 'idle' }
      await this.#something(left)
    }
  }

  progress(): PartitionProgress[] {
    return (this.#active?.parts ?? []).map(({ id, position, end }) => ({
      partition: id,
      position,
      end: Math.max(position, end),
    }))
  }

  /**
   * Commits at the generation of the last `assigned` event. Where that is over, nothing is stored, and the next poll
   * tells the new assignment; an outage is reported by `commit_failed`, and the next commit carries on.
   */
  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    if (this.#active === null) return
    const entries = entriesOf(this.#active.parts, offsets)
    if (entries.length > 0) await this.#member.commit(this.#active.membership, entries)
  }

  /** The same within a transaction. Rejects where nothing is added, also because the assignment is over. */
  async commitWithin(identity: TransactionIdentity, offsets: ReadonlyMap<number, number>): Promise<void> {
    if (this.#active === null) throw new Error('the partitions were taken away meanwhile')
    await this.#member.commitWithin(identity, this.#active.membership, entriesOf(this.#active.parts, offsets))
  }

  /** Begins the assignment anew at what is committed; the next poll tells it. */
  restart(): void {
    if (this.#active === null) return // another one is on its way
    const { membership } = this.#active
    this.#drop()
    void this.#prepare(membership)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#drop()
    await Promise.all([this.#member.close(), this.#fetcher.close()])
  }

  async #numberPartitions(): Promise<void> {
    const admin = new Admin({ ...clientOptions(this.#options), retries: 0 })
    try {
      const metadata = await topicMetadata(admin, this.#options.topics)
      if ('missing' in metadata) throw missingTopic(metadata.missing, 'source.topics', this.#options)
      for (const topic of this.#options.topics) {
        const count = metadata.topics.get(topic)?.partitionsCount ?? 0
        for (let partition = 0; partition < count; partition++) this.#idOf(topic, partition)
      }
    } finally {
      await admin.close()
    }
  }

  /** A partition added later gets the next free number. */
  #idOf(topic: string, partition: number): number {
    const key = `${topic}/${partition}`
    const id = this.#ids.get(key) ?? this.#ids.size
    this.#ids.set(key, id)
    return id
  }

  #drop(): void {
    this.#ready = null
    this.#active = null
    this.#fetcher.assign([])
    this.#wake()
  }

  /** Finds out where each partition goes on, and offers the assignment to the next poll. */
  async #prepare(membership: Membership): Promise<void> {
    for (let backoff = FIRST_BACKOFF_MS; !this.#closed && this.#member.current === membership; ) {
      try {
        const parts = await this.#positions(membership)
        if (this.#member.current !== membership) return
        this.#ready = { membership, parts }
        this.#wake()
        return
      } catch (error) {
        this.#options.onEvent?.('assign_failed', `${rootCause(error)}; again in ${backoff} ms`)
        await sleep(backoff)
        backoff = Math.min(2 * backoff, MAX_BACKOFF_MS)
      }
    }
  }

  async #positions({ assignments }: Membership): Promise<PartitionState[]> {
    const committed = await this.#member.committed(assignments)
    const fresh = assignments.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.filter((p) => (committed.get(topic)?.get(p) ?? -1n) < 0n),
    }))
    const [ends, starts] = await Promise.all([
      this.#fetcher.offsets(assignments as { topic: string; partitions: number[] }[], 'latest'),
      this.#fetcher.offsets(fresh, this.#options.from),
    ])
    return assignments.flatMap(({ topic, partitions }) =>
      partitions.map((partition): PartitionState => {
        const known = committed.get(topic)?.get(partition) ?? -1n
        const start = known >= 0n ? known : starts.get(topic)?.[partition]
        const end = ends.get(topic)?.[partition]
        if (start === undefined || end === undefined) throw new Error(`no offsets for ${topic}[${partition}]`)
        const position = toNumber(start)
        return {
          id: this.#idOf(topic, partition),
          topic,
          partition,
          fetchFrom: position,
          position,
          end: toNumber(end),
        }
      }),
    )
  }

  /** Resolves when there may be something to do, at the latest after `ms`. */
  async #something(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** The offsets of an assignment by their places in Kafka. */
function entriesOf(
  parts: readonly PartitionState[],
  offsets: ReadonlyMap<number, number>,
): PartitionOffset[] {
  return parts.flatMap(({ id, topic, partition }) => {
    const offset = offsets.get(id)
    return offset === undefined ? [] : [{ topic, partition, offset }]
  })
}
