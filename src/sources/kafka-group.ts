/**
 * Membership in a Kafka consumer group, apart from reading: on a client of its own, so that heartbeats never wait behind a
 * long fetch. Classic group protocol, dynamic or static (`instanceId`).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Consumer,
  type ConsumerGroupJoinPayload,
  consumerHeartbeatChannel,
  findErrorBy,
  type GroupAssignment,
  offsetCommitV8,
  offsetFetchV8,
  txnOffsetCommitV4,
} from '@platformatic/kafka'
import type { TransactionIdentity } from '../sinks/transaction.ts'
import { type ClusterAddress, clientOptions, rootCause, within } from './kafka-cluster.ts'

/** One generation of membership, frozen: the client's live fields change while a rebalance is still under way. */
export interface Membership {
  readonly generationId: number
  readonly memberId: string
  readonly assignments: readonly GroupAssignment[]
}

export interface PartitionOffset {
  topic: string
  partition: number
  offset: number
}

export interface GroupOptions extends ClusterAddress {
  topics: string[]
  group: string
  /** Static membership: a restart within the session time-out keeps its partitions. One process an id. */
  instanceId?: string
}

export interface GroupListener {
  /** A new generation; whatever was assigned before is void. */
  joined(membership: Membership): void
  /** The assignment is gone, the next one is being worked out. */
  lost(): void
  /** The membership can't go on; the process should end. */
  failed(error: Error): void
  /** For log lines and counters. */
  event(name: string, detail: string): void
}

/** A dead member is noticed after this; not below 6 s (the broker's minimum), and above any stall of the event loop. */
const SESSION_TIMEOUT_MS = 10_000
const HEARTBEAT_MS = 500
const REJOIN_MS = 1_000
/** How long a commit is tried. A lost one costs nothing but work after a crash, the next carries the offsets too. */
const COMMIT_TIMEOUT_MS = 5_000
const COMMIT_RETRY_MS = 200
/** Leaving must not hold up the end of the process. */
const CLOSE_TIMEOUT_MS = 3_000

/** Errors of a generation that is over: the assignment was taken away, which is no failure. */
const STALE = ['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID']

export class GroupMember {
  readonly #options: GroupOptions
  readonly #listener: GroupListener
  readonly #client: Consumer
  #current: Membership | null = null
  #closed = false

  constructor(options: GroupOptions, listener: GroupListener) {
    this.#options = options
    this.#listener = listener
    this.#client = new Consumer({
      ...clientOptions(options),
      groupId: options.group,
      ...(options.instanceId === undefined ? {} : { groupInstanceId: options.instanceId }),
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      retries: 3,
      retryDelay: HEARTBEAT_MS,
    })
    this.#client.topics.trackAll(...options.topics)
    this.#client.on('consumer:group:join', (payload) => this.#joined(payload))
    this.#client.on('consumer:group:rebalance', () => this.#lost())
    this.#client.on('consumer:heartbeat:error', ({ error }) =>
      listener.event('heartbeat_failed', rootCause(error)),
    )
    // After a failed rejoin the client gives up; nobody else would send heartbeats again.
    this.#client.on('error', (error) => void this.#rejoin(error))
    consumerHeartbeatChannel.error.subscribe(this.#onHeartbeatError)
  }

  /** The membership as it is now, or null while there is none. */
  get current(): Membership | null {
    return this.#current
  }

  /** Joins for the first time. Rejects with the reason. */
  async join(): Promise<void> {
    await this.#client.joinGroup({})
  }

  /** Committed offsets by topic and partition; -1 where there is none. Waits for offsets of open transactions. */
  async committed(assignments: readonly GroupAssignment[]): Promise<Map<string, Map<number, bigint>>> {
    const topics = assignments.map((a) => ({ name: a.topic, partitionIndexes: a.partitions }))
    const connection = await this.#coordinator()
    const groups = [{ groupId: this.#options.group, memberEpoch: -1, topics }] // no epoch: classic protocol
    const response = await offsetFetchV8.api.async(connection, groups, true)
    const byTopic = new Map<string, Map<number, bigint>>()
    for (const { name, partitions } of response.groups[0]?.topics ?? []) {
      byTopic.set(name, new Map(partitions.map((p) => [p.partitionIndex, p.committedOffset])))
    }
    return byTopic
  }

  /**
   * Commits offsets at exactly this membership. Returns false where its generation is over, or where the coordinator
   * could not be reached for a while; both are reported, neither is an error.
   */
  async commit(membership: Membership, offsets: readonly PartitionOffset[]): Promise<boolean> {
    const request = byTopic(offsets)
    const deadline = Date.now() + COMMIT_TIMEOUT_MS
    while (this.#current === membership && !this.#closed) {
      try {
        const { group, instanceId } = this.#options
        const { generationId, memberId } = membership
        // Not `Consumer.commit`: that rejoins on a stale generation and commits the old offsets under the new one.
        const attempt = this.#coordinator().then((connection) =>
          offsetCommitV8.api.async(connection, group, generationId, memberId, instanceId ?? null, request),
        )
        await within(deadline - Date.now(), attempt)
        return true
      } catch (error) {
        if (STALE.some((id) => findErrorBy(error as Error, 'apiId', id) !== null)) {
          this.#listener.event('commit_stale', rootCause(error))
          if (this.#current === membership) this.#lost() // the next heartbeat finds out and rejoins
          return false
        }
        if (Date.now() > deadline) {
          this.#listener.event('commit_failed', rootCause(error))
          return false
        }
      }
      await sleep(COMMIT_RETRY_MS)
    }
    return false
  }

  /**
   * Adds the offsets to a transaction, fenced by exactly this membership. Rejects where its generation is over. Not the client's
   * `addOffset`: that sends no instance id, adds one to the offset, and lets several be added at once, of which one survives.
   */
  async commitWithin(
    { transaction, producerId, producerEpoch }: TransactionIdentity,
    { generationId, memberId }: Membership,
    offsets: readonly PartitionOffset[],
  ): Promise<void> {
    await transaction.addConsumer(this.#client)
    const { group, instanceId = null } = this.#options
    const connection = await this.#coordinator()
    await txnOffsetCommitV4.api.async(
      connection,
      transaction.id,
      group,
      producerId,
      producerEpoch,
      generationId,
      memberId,
      instanceId,
      byTopic(offsets),
    )
  }

  /** Leaves the group, so that others take over at once. */
  async close(): Promise<void> {
    this.#closed = true
    this.#current = null
    consumerHeartbeatChannel.error.unsubscribe(this.#onHeartbeatError)
    await within(CLOSE_TIMEOUT_MS, this.#client.close(true)).catch((error: unknown) => {
      this.#listener.event('leave_failed', rootCause(error))
    })
  }

  #joined({ generationId, memberId, assignments }: ConsumerGroupJoinPayload): void {
    if (this.#closed) return
    this.#current = Object.freeze({
      generationId: generationId ?? -1,
      memberId,
      assignments: (assignments ?? []).map((a) => ({ topic: a.topic, partitions: [...a.partitions] })),
    })
    this.#listener.joined(this.#current)
  }

  #lost(): void {
    this.#current = null
    if (!this.#closed) this.#listener.lost()
  }

  async #rejoin(reason: unknown): Promise<void> {
    if (this.#closed) return
    this.#lost()
    this.#listener.event('rejoin', rootCause(reason))
    await sleep(REJOIN_MS)
    if (!this.#closed) await this.#client.joinGroup({}).catch((error: unknown) => this.#rejoin(error))
  }

  /**
   * Two processes with one instance id would take the membership from each other for ever, since the client rejoins by
   * itself. The one that was pushed out stops; its own rejoin is called off before it starts.
   */
  readonly #onHeartbeatError = (message: unknown): void => {
    const { client, error } = message as { client: unknown; error?: Error }
    if (client !== this.#client || findErrorBy(error, 'apiId', 'FENCED_INSTANCE_ID') === null) return
    // Stops heartbeats at once; the broker's answer to a member that it has dropped already does not matter.
    Promise.resolve(this.#client.leaveGroup(false)).catch(() => {})
    this.#lost()
    const { group, instanceId } = this.#options
    this.#listener.failed(
      new Error(
        `another process joined the consumer group ${group} with the instance id ${instanceId}; each needs its own`,
      ),
    )
  }

  async #coordinator() {
    const id = await this.#client.findGroupCoordinator()
    const connection = (await this.#client.connectToBrokers([id])).get(id)
    if (connection === undefined) {
      this.#client.clearMetadata()
      throw new Error(`group coordinator ${id} is not among the brokers`)
    }
    return connection
  }
}

/** Offsets as commits want them. */
function byTopic(offsets: readonly PartitionOffset[]) {
  const topics = Map.groupBy(offsets, ({ topic }) => topic)
  return [...topics].map(([name, entries]) => ({ name, partitions: entries.map(commitPartition) }))
}

function commitPartition({ partition, offset }: PartitionOffset) {
  return {
    partitionIndex: partition,
    committedOffset: BigInt(offset),
    committedLeaderEpoch: -1, // not known
    committedMetadata: null,
  }
}
