/** Reads partitions by `fetch`, which takes only what is asked for, so that the reader's pace bounds memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Consumer,
  FetchIsolationLevels,
  type fetchV17,
  findErrorBy,
  type KafkaRecord,
  ListOffsetTimestamps,
  type RecordsBatch,
} from '@platformatic/kafka'
import { type ClusterAddress, clientOptions, rootCause, toNumber } from './kafka-cluster.ts'
import { CONTROL_BATCH, CommittedOnly } from './kafka-committed.ts'
import type { SourceRecord } from './source.ts'

/** One partition being read. */
export interface PartitionState {
  /** Number of the partition across all topics. */
  id: number
  topic: string
  partition: number
  /** Next offset to ask the broker for. */
  fetchFrom: number
  /** Next offset to hand on; behind `fetchFrom` while records are queued. */
  position: number
  /** Offset after the newest record, as last heard. */
  end: number
}

/**
 * Bytes a partition and fetch, on the wire: 64 KiB of lz4 are already some 26,000 records that the client unpacks in one
 * go. More blocks the event loop for longer at no gain (1 MiB: 736 ms and 618 MB; 64 KiB: 82 ms and 299 MB).
 */
const PARTITION_MAX_BYTES = 64 * 1024
const MAX_BYTES = 16 * 1024 * 1024
/** A broker answers when this much is there or the wait is over: few small answers, little latency. */
const MIN_BYTES = 16 * 1024
const MAX_WAIT_MS = 100
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5_000
const OFFSET_OUT_OF_RANGE = 1
const CLUSTER = -1

interface Pending {
  part: PartitionState
  records: KafkaRecord[]
  /** Offset of the batch; records count from it. */
  base: number
  /** Records below this offset were handed on before. */
  from: number
  /** Offset after the batch. */
  after: number
  index: number
}

export class Fetcher {
  readonly #client: Consumer
  readonly #topics: string[]
  readonly #onEvent: (name: string, detail: string) => void
  /** Called when there is something new to take, or to do. */
  readonly #onProgress: () => void
  readonly #closing = new AbortController()
  #parts: PartitionState[] = []
  #queue: Pending[] = []
  #queued = 0
  #busy = new Set<number>()
  #planning = false
  /** Failures in a row by leader; those of the metadata, which no leader answers for, under `CLUSTER`. */
  readonly #failures = new Map<number, number>()
  #leaderlessTold = 0
  /** By partition, where only committed records are to be handed on. */
  readonly #committed: Map<PartitionState, CommittedOnly> | null

  constructor(
    options: ClusterAddress & { topics: string[]; group: string; committedOnly?: boolean },
    onEvent: (name: string, detail: string) => void,
    onProgress: () => void,
  ) {
    this.#topics = options.topics
    this.#onEvent = onEvent
    this.#onProgress = onProgress
    this.#committed = options.committedOnly === true ? new Map() : null
    this.#client = new Consumer({
      ...clientOptions(options),
      groupId: options.group, // demanded by the client; this one never joins
      retries: 0, // retried here, with back-off and a word about it
      maxWaitTime: MAX_WAIT_MS,
      minBytes: MIN_BYTES,
      maxBytes: MAX_BYTES,
      // The client's own filter for aborted records leaks; where it matters, `committedOnly` does it.
      isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
    })
    this.#client.topics.trackAll(...options.topics)
  }

  /** Records fetched and not yet taken. */
  get queued(): number {
    return this.#queued
  }

  /** Reads these partitions from now on; what is queued or under way for others is dropped. */
  assign(parts: PartitionState[]): void {
    this.#parts = parts
    this.#queue = []
    this.#queued = 0
  }

  /** First or next offset of partitions, by topic and partition. */
  async offsets(of: readonly { topic: string; partitions: number[] }[], which: 'earliest' | 'latest') {
    const asked = of.filter((a) => a.partitions.length > 0)
    if (asked.length === 0) return new Map<string, bigint[]>()
    return await this.#client.listOffsets({
      topics: asked.map((a) => a.topic),
      partitions: Object.fromEntries(asked.map((a) => [a.topic, a.partitions])),
      timestamp: which === 'earliest' ? ListOffsetTimestamps.EARLIEST : ListOffsetTimestamps.LATEST,
      isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
    })
  }

  /** Sends a fetch to every leader that has none under way. */
  pump(): void {
    if (this.#planning || this.#parts.length === 0 || this.#closing.signal.aborted) return
    this.#planning = true
    void this.#plan().finally(() => {
      this.#planning = false
    })
  }

  /** Up to `max` records, oldest fetch first. */
  take(max: number): SourceRecord[] {
    const taken: SourceRecord[] = []
    let done = 0
    for (const pending of this.#queue) {
      const { part, records, base, from } = pending
      while (pending.index < records.length && taken.length < max) {
        const record = records[pending.index++] as KafkaRecord // index < length
        const offset = base + record.offsetDelta
        if (offset < from) continue
        const { key, value, headers } = record
        taken.push({ key, value, headers, partition: part.id, offset })
        part.position = Math.max(part.position, offset + 1)
      }
      if (pending.index < records.length) break
      part.position = Math.max(part.position, pending.after)
      this.#queued -= records.length
      done++
    }
    this.#queue.splice(0, done)
    return taken
  }

  /** Whether all below `offset` has been taken; with `committedOnly`, all that will ever be committed there. */
  isReadTo(part: PartitionState, offset: number): boolean {
    return part.position >= offset && this.#committed?.get(part)?.isOpenBelow(offset) !== true
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.assign([])
    await this.#client.close(true).catch(() => {}) // nothing depends on it
  }

  async #plan(): Promise<void> {
    const parts = this.#parts
    try {
      const metadata = await this.#client.metadata({ topics: [...this.#topics] })
      const byLeader = new Map<number, { part: PartitionState; topicId: string }[]>()
      const leaderless: string[] = []
      for (const part of parts) {
        const topic = metadata.topics.get(part.topic)
        const leader = topic?.partitions[part.partition]?.leader ?? -1
        if (topic === undefined || leader < 0) {
          leaderless.push(`${part.topic}[${part.partition}]`)
          continue
        }
        const share = byLeader.get(leader)
        if (share === undefined) byLeader.set(leader, [{ part, topicId: topic.id }])
        else share.push({ part, topicId: topic.id })
      }
      // The others go on; the client renews its metadata every few seconds.
      if (leaderless.length > 0 && Date.now() > this.#leaderlessTold + MAX_BACKOFF_MS) {
        this.#leaderlessTold = Date.now()
        this.#onEvent('fetch_failed', `no leader for ${leaderless.join(', ')}`)
      }
      this.#recovered(CLUSTER)
      for (const [leader, share] of byLeader) {
        if (this.#busy.has(leader)) continue
        this.#busy.add(leader)
        void this.#fetch(leader, share, parts).finally(() => {
          this.#busy.delete(leader)
          this.#onProgress()
        })
      }
    } catch (error) {
      await this.#backOff(CLUSTER, error)
      this.#onProgress()
    }
  }

  async #fetch(
    node: number,
    share: { part: PartitionState; topicId: string }[],
    round: PartitionState[],
  ): Promise<void> {
    const byTopic = new Map<string, Map<number, PartitionState>>()
    for (const { part, topicId } of share) {
      const topic = byTopic.get(topicId)
      if (topic === undefined) byTopic.set(topicId, new Map([[part.partition, part]]))
      else topic.set(part.partition, part)
    }
    const topics = [...byTopic].map(([topicId, partitions]) => ({
      topicId,
      partitions: [...partitions.values()].map((part) => ({
        partition: part.partition,
        fetchOffset: BigInt(part.fetchFrom),
        currentLeaderEpoch: -1, // not checked; a stale leader says so itself
        lastFetchedEpoch: -1,
        partitionMaxBytes: PARTITION_MAX_BYTES,
      })),
    }))
    try {
      const response = await this.#client.fetch({ node, topics })
      if (this.#parts !== round) return // assigned anew meanwhile
      for (const { topicId, partitions } of response.responses) {
        for (const partition of partitions) {
          const part = byTopic.get(topicId)?.get(partition.partitionIndex)
          if (part === undefined) continue
          part.end = toNumber(partition.highWatermark)
          for (const batch of partition.records ?? []) this.#enqueue(part, batch)
        }
      }
      this.#recovered(node)
    } catch (error) {
      if (this.#closing.signal.aborted || this.#parts !== round) return
      if (findErrorBy(error as Error, 'apiId', 'INVALID_FETCH_SESSION_EPOCH') !== null) return // a new session next time
      const lost = outOfRange(error).flatMap(
        ([topicId, partition]) => byTopic.get(topicId)?.get(partition) ?? [],
      )
      await (lost.length > 0 ? this.#rewind(node, lost) : this.#backOff(node, error))
    }
  }

  #enqueue(part: PartitionState, batch: RecordsBatch): void {
    const base = toNumber(batch.firstOffset)
    const after = base + batch.lastOffsetDelta + 1
    if (after <= part.fetchFrom) return
    const from = part.fetchFrom
    part.fetchFrom = after
    if (this.#committed === null) {
      this.#push(part, batch, (batch.attributes & CONTROL_BATCH) === 0 ? batch.records : [], from)
      return
    }
    for (const readable of this.#filterOf(part, this.#committed).take(batch)) {
      this.#push(part, readable, readable.records, 0)
    }
    this.#push(part, batch, [], from)
  }

  #push(part: PartitionState, batch: RecordsBatch, records: KafkaRecord[], from: number): void {
    const base = toNumber(batch.firstOffset)
    this.#queue.push({ part, records, base, from, after: base + batch.lastOffsetDelta + 1, index: 0 })
    this.#queued += records.length
  }

  #filterOf(part: PartitionState, filters: Map<PartitionState, CommittedOnly>): CommittedOnly {
    let filter = filters.get(part)
    if (filter === undefined) {
      filter = new CommittedOnly()
      filters.set(part, filter)
    }
    return filter
  }

  /** The broker no longer has, or not yet has, these offsets: what is left is read from its beginning. */
  async #rewind(node: number, lost: PartitionState[]): Promise<void> {
    try {
      for (const part of lost) {
        const offsets = await this.offsets([{ topic: part.topic, partitions: [part.partition] }], 'earliest')
        const first = offsets.get(part.topic)?.[part.partition]
        if (first === undefined) throw new Error(`no first offset for ${part.topic}[${part.partition}]`)
        const where = `${part.topic}[${part.partition}]`
        this.#onEvent(
          'offset_out_of_range',
          `${where}: offset ${part.fetchFrom} is not there, reading from ${first}`,
        )
        part.fetchFrom = toNumber(first)
        part.position = part.fetchFrom
      }
    } catch (error) {
      await this.#backOff(node, error)
    }
  }

  #recovered(node: number): void {
    const failures = this.#failures.get(node)
    if (failures === undefined) return
    this.#failures.delete(node)
    this.#onEvent('fetch_recovered', `after ${failures} failures`)
  }

  async #backOff(node: number, error: unknown): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#client.clearMetadata() // the leader may have moved
    const failures = this.#failures.get(node) ?? 0
    this.#failures.set(node, failures + 1)
    const delay = Math.min(FIRST_BACKOFF_MS * 2 ** failures, MAX_BACKOFF_MS)
    this.#onEvent('fetch_failed', `${rootCause(error)}; again in ${delay} ms`)
    await sleep(delay, undefined, { signal: this.#closing.signal }).catch(() => {})
  }
}

/** Topic id and partition of each partition that refused its offset. */
function outOfRange(error: unknown): [string, number][] {
  const response = findErrorBy(error as Error, 'code', 'PLT_KFK_RESPONSE')?.response as
    | fetchV17.FetchResponse
    | undefined
  return (response?.responses ?? []).flatMap(({ topicId, partitions }) =>
    partitions
      .filter((p) => p.errorCode === OFFSET_OUT_OF_RANGE)
      .map((p): [string, number] => [topicId, p.partitionIndex]),
  )
}
