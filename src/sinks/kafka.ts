import type { Type } from 'avsc'
import { ALARM_AVRO, ALARM_TYPE, FLAG_AVRO, FLAG_TYPE } from '../detect/record-avro.ts'
import type { AlarmRecord, FlagRecord } from '../detect/records.ts'
import { registryHeader } from '../examon/avro.ts'
import { assertReachable, type ClusterAddress, ensureTopics } from '../sources/kafka-cluster.ts'
import type { KafkaSecurity } from '../sources/kafka-security.ts'
import { type RegistryAddress, registerSchema } from '../sources/schema-registry.ts'
import { KafkaWriter, type OutgoingRecord } from './producer.ts'
import type { Sink } from './sink.ts'

export interface KafkaSinkOptions {
  brokers: string[]
  clientId: string
  security?: KafkaSecurity
  flagsTopic: string
  alarmsTopic: string
  /** Only flags of anomalous windows; alarms always. */
  anomalousOnly: boolean
  /** Create topics that are missing. */
  createTopics: boolean
  /** Where the sink stands in the config, for messages; `sinks[0]` unless told. */
  configKey?: string
  startTimeoutMs?: number
  /** Registry of the schemas; records are Avro then, and JSON without. */
  registry?: RegistryAddress | undefined
  /** Records leave in somebody else's transaction, by `recordsOf`; `write` is not for this sink. */
  isInTransaction?: boolean
  /** Hears of `produce_retry`. */
  onEvent?: (name: string, detail: string) => void
}

/** Flags are one record a node and window, about 1/s for a thousand nodes: partitions are for readers, not for speed. */
const PARTITIONS = 4

/** Flags and alarms as JSON or Avro, key = node, each kind to its topic. A node's records stay in order. */
export class KafkaSink implements Sink {
  readonly kind = 'kafka'
  readonly #options: KafkaSinkOptions
  readonly #address: ClusterAddress
  #writer: KafkaWriter | null = null
  #flag: Encoder = toJson
  #alarm: Encoder = toJson

  constructor(options: KafkaSinkOptions) {
    this.#options = options
    this.#address = { ...options, brokersKey: `${options.configKey ?? 'sinks[0]'}.brokers` }
  }

  async start(): Promise<void> {
    const { flagsTopic, alarmsTopic, createTopics, configKey = 'sinks[0]' } = this.#options
    const { isInTransaction = false, registry, onEvent } = this.#options
    await assertReachable(this.#address)
    const wanted = { partitions: PARTITIONS, configs: [] }
    await ensureTopics(
      this.#address,
      [
        { ...wanted, topic: flagsTopic, key: `${configKey}.flags_topic` },
        { ...wanted, topic: alarmsTopic, key: `${configKey}.alarms_topic` },
      ],
      createTopics,
    )
    if (registry !== undefined) {
      this.#flag = await avroEncoder(registry, flagsTopic, FLAG_AVRO, FLAG_TYPE)
      this.#alarm = await avroEncoder(registry, alarmsTopic, ALARM_AVRO, ALARM_TYPE)
    }
    if (!isInTransaction) this.#writer = new KafkaWriter(this.#address, onEvent)
  }

  async write(flags: readonly FlagRecord[], alarms: readonly AlarmRecord[]): Promise<void> {
    if (this.#writer === null) throw new Error('write without a writer of its own')
    // One write, so that flags and alarms of a window leave together.
    await this.#writer.write(this.recordsOf(flags, alarms))
  }

  /** What `write` writes. */
  recordsOf(flags: readonly FlagRecord[], alarms: readonly AlarmRecord[]): OutgoingRecord[] {
    const { flagsTopic, alarmsTopic, anomalousOnly } = this.#options
    const kept = anomalousOnly ? flags.filter((flag) => flag.anomalous) : flags
    return [
      ...kept.map((flag) => outgoing(flagsTopic, flag, this.#flag)),
      ...alarms.map((alarm) => outgoing(alarmsTopic, alarm, this.#alarm)),
    ]
  }

  async close(): Promise<void> {
    await this.#writer?.close()
    this.#writer = null
  }
}

type Encoder = (record: FlagRecord | AlarmRecord) => Buffer

const toJson: Encoder = (record) => Buffer.from(JSON.stringify(record))

/** Registers the schema as that of the topic's values. */
async function avroEncoder(
  registry: RegistryAddress,
  topic: string,
  schema: object,
  type: Type,
): Promise<Encoder> {
  const header = registryHeader(await registerSchema(registry, `${topic}-value`, schema))
  return (record) => Buffer.concat([header, type.toBuffer(record)])
}

function outgoing(topic: string, record: FlagRecord | AlarmRecord, encode: Encoder): OutgoingRecord {
  return { topic, key: Buffer.from(record.node), value: encode(record) }
}
