import type { KafkaSink } from '../sinks/kafka.ts'
import { TransactionalWriter } from '../sinks/transaction.ts'
import type { KafkaSource } from '../sources/kafka.ts'
import { type ClusterAddress, rootCause, within } from '../sources/kafka-cluster.ts'
import { retry } from '../sources/retry.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { KafkaCheckpoint } from './checkpoint.ts'
import type { Emission } from './pipeline.ts'

/** An earlier transaction of the same name may have to be ended first; a cluster without any would keep us waiting. */
const START_TIMEOUT_MS = 20_000

/**
 * Flags, alarms, states of nodes and offsets in one Kafka transaction, fenced by the membership in the group: a reader of committed
 * records sees each window once, whatever dies in between.
 */
export class ExactlyOnce {
  readonly #source: KafkaSource
  readonly #checkpoint: KafkaCheckpoint
  /** Those of the source's cluster. */
  readonly #sinks: readonly KafkaSink[]
  readonly #telemetry: Telemetry
  readonly #writer: TransactionalWriter

  constructor(
    parts: { source: KafkaSource; checkpoint: KafkaCheckpoint; sinks: readonly KafkaSink[] },
    telemetry: Telemetry,
    address: ClusterAddress,
    transactionalId: string,
  ) {
    this.#source = parts.source
    this.#checkpoint = parts.checkpoint
    this.#sinks = parts.sinks
    this.#telemetry = telemetry
    this.#writer = new TransactionalWriter(address, transactionalId, (name, detail) =>
      telemetry.sourceEvent(name, detail),
    )
  }

  /** Settles what an earlier process with the same id left open. Rejects where the cluster gives no transactions. */
  async start(): Promise<void> {
    try {
      await within(START_TIMEOUT_MS, this.#writer.open())
    } catch (error) {
      throw new Error(
        `Kafka gives no transactions: ${rootCause(error)}; give this client the rights and the cluster its transaction log, or set source.delivery to at_least_once`,
      )
    }
  }

  includes(sink: object): boolean {
    return this.#sinks.some((own) => own === sink)
  }

  /**
   * Commits what a turn brought out. False where that failed, or where the partitions are somebody else's by now: what the caller
   * has in memory is void then, and the source begins anew at what was committed.
   */
  async commit(
    emission: Emission,
    offsets: ReadonlyMap<number, number>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { flags, alarms, states } = emission
    const records = [
      ...this.#sinks.flatMap((sink) => sink.recordsOf(flags, alarms)),
      ...this.#checkpoint.recordsOf(states),
    ]
    const started = performance.now()
    try {
      await this.#writer.commit(records, (identity) => this.#source.commitWithin(identity, offsets))
    } catch (error) {
      this.#telemetry.commitFailed(rootCause(error))
      await this.#recover(signal)
      return false
    }
    const seconds = (performance.now() - started) / 1000
    this.#telemetry.commitDone(seconds)
    for (const sink of this.#sinks) this.#telemetry.sinkWrote(sink.kind, flags.length, alarms.length, seconds)
    return true
  }

  async close(): Promise<void> {
    await this.#writer.close()
  }

  /** A new incarnation of the producer, which settles the last transaction; then back to what is committed. */
  async #recover(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    await retry(
      async () => {
        await this.#writer.open()
        this.#source.restart()
      },
      (error) => this.#telemetry.notReady(`no transaction with Kafka: ${rootCause(error)}`),
      signal,
    )
  }
}
