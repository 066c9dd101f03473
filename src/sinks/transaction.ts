/** Writing to Kafka in transactions: records and consumed offsets become visible together, or not at all. */
import { findErrorBy, ProduceAcks, Producer } from '@platformatic/kafka'
import { type ClusterAddress, clientOptions } from '../sources/kafka-cluster.ts'
import { type OutgoingRecord, requestsOf } from './producer.ts'

type Transaction = Awaited<ReturnType<Producer['beginTransaction']>>

/** What a transaction is told to the coordinator of a group by. */
export interface TransactionIdentity {
  transaction: Transaction
  producerId: bigint
  producerEpoch: number
}

/**
 * How long a transaction may stay open, ms. After this the broker aborts that of a process that is gone, and who takes over its
 * partitions waits for it until then.
 */
const TRANSACTION_TIMEOUT_MS = 10_000
const RETRY_MS = 500
/** The last transaction's markers are still being written; that takes some ms. */
const MARKERS_MS = 20

/**
 * A transactional producer. After a failed `commit` nothing is known of its transaction, until `open` has settled it: either it is
 * complete or it never was. One process an id, or they fence each other.
 */
export class TransactionalWriter {
  readonly #address: ClusterAddress
  readonly #id: string
  readonly #onEvent: (name: string, detail: string) => void
  #producer: Producer | null = null
  #closed = false

  /** `onEvent` hears of `produce_retry`. */
  constructor(
    address: ClusterAddress,
    id: string,
    onEvent: (name: string, detail: string) => void = () => {},
  ) {
    this.#address = address
    this.#id = id
    this.#onEvent = onEvent
  }

  /** Fences whoever had the id before and settles what it left open. */
  async open(): Promise<void> {
    await this.#release()
    const producer = new Producer({
      ...clientOptions(this.#address),
      idempotent: true,
      acks: ProduceAcks.ALL,
      transactionalId: this.#id,
      // Asks for new ones; with the client's default, 0, a second start on the same id is fenced.
      producerId: -1n,
      producerEpoch: -1,
      timeout: TRANSACTION_TIMEOUT_MS, // of a request and of a transaction, by the client's choice
      retryDelay: (_client, _operation, _attempt, _retries, error) =>
        findErrorBy(error, 'apiId', 'CONCURRENT_TRANSACTIONS') === null ? RETRY_MS : MARKERS_MS,
    })
    producer.on('client:performWithRetry:retry', (operation: string, attempt: number, _retries, delay) => {
      if (delay !== MARKERS_MS) this.#onEvent('produce_retry', `${operation}, attempt ${attempt + 2}`)
    })
    this.#producer = producer
    await (await producer.beginTransaction({})).cancel() // nothing was sent, so there is nothing to abort
    if (this.#closed) await this.#release()
  }

  /**
   * Commits records together with what `offsets` adds, one request after the other as the protocol wants it. Rejects when the
   * outcome is not known or nothing was stored; then call `open`. There must be at least one record.
   */
  async commit(
    records: readonly OutgoingRecord[],
    offsets: (identity: TransactionIdentity) => Promise<void>,
  ): Promise<void> {
    const producer = this.#producer
    if (producer === null) throw new Error('commit before open')
    const transaction = await producer.beginTransaction({})
    for (const messages of requestsOf(records)) await transaction.send({ messages })
    const { producerId, producerEpoch } = producer
    if (producerId === undefined || producerEpoch === undefined) throw new Error('the producer was fenced')
    await offsets({ transaction, producerId, producerEpoch })
    await transaction.commit()
  }

  /** Ends also a commit that is being retried; that one rejects. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#release()
  }

  async #release(): Promise<void> {
    const producer = this.#producer
    this.#producer = null
    await producer?.close(true).catch(() => {}) // its connections are gone either way
  }
}
