import type { MqttClient } from 'mqtt'
import { connected, type MqttAddress, mqttClient } from './mqtt-client.ts'
import type { PartitionProgress, Source, SourceEvent, SourceRecord } from './source.ts'

export interface MqttSourceOptions extends Omit<MqttAddress, 'configKey'> {
  /** Topic filters. */
  topics: string[]
  qos: 0 | 1
  /** The broker keeps the session, and what comes with `qos` 1, while this client is away. */
  keepSession: boolean
  /** Messages that wait for the reader at most; see `MAX_QUEUED`. */
  maxQueued?: number
}

const PARTITION = 0
/** Records handed on at once: a few ms of work for the engine. */
const CHUNK_RECORDS = 4096
/**
 * Messages that wait for the reader before the connection is left unread: half a minute of a Marconi-100, in about 100 MB. The
 * broker then queues, or drops, by its own limits.
 */
const MAX_QUEUED = 262_144

/**
 * ExaMon's own bus as the source. Records have the reference form, key = MQTT topic; all are of one partition, numbered as they
 * come. There is no replay: what is published while nobody listens is gone, unless the broker keeps the session and
 * publishers send with QoS 1. Once started, an outage of the broker is retried for ever, and `poll` says `idle`.
 */
export class MqttSource implements Source {
  readonly kind = 'mqtt'
  readonly #options: MqttSourceOptions & MqttAddress
  readonly #maxQueued: number
  #client: MqttClient | null = null
  #queue: SourceRecord[] = []
  #offset = 0
  #assigned = false
  /** Goes on with reading, where that was left because of a full queue. */
  #resume: (() => void) | null = null
  #wake: () => void = () => {}

  constructor(options: MqttSourceOptions) {
    this.#options = { ...options, configKey: 'source' }
    this.#maxQueued = options.maxQueued ?? MAX_QUEUED
  }

  async start(): Promise<void> {
    const { url, topics, qos, keepSession } = this.#options
    const client = mqttClient(this.#options, { clean: !keepSession })
    this.#client = client
    client.handleMessage = ({ topic, payload }, done) => this.#take(topic, payload, done)
    await connected(client, this.#options)
    const granted = await client.subscribeAsync(topics, { qos })
    const refused = granted.filter((grant) => grant.qos > 2).map(({ topic }) => topic)
    if (refused.length > 0)
      throw new Error(
        `MQTT broker ${url} refuses the subscription to ${refused.join(', ')} (config key source.topics)`,
      )
  }

  async poll(timeoutMs: number): Promise<SourceEvent> {
    if (!this.#assigned) {
      this.#assigned = true
      return { kind: 'assigned', partitions: [PARTITION], isWhole: true }
    }
    if (this.#queue.length === 0) await this.#news(timeoutMs)
    if (this.#queue.length === 0) return { kind: 'idle' }
    const records = this.#queue.length <= CHUNK_RECORDS ? this.#queue : this.#queue.slice(0, CHUNK_RECORDS)
    this.#queue = this.#queue.length <= CHUNK_RECORDS ? [] : this.#queue.slice(CHUNK_RECORDS)
    const resume = this.#resume
    if (resume !== null && this.#queue.length < this.#maxQueued) {
      this.#resume = null
      resume()
    }
    return { kind: 'records', records }
  }

  progress(): PartitionProgress[] {
    return [{ partition: PARTITION, position: this.#offset - this.#queue.length, end: this.#offset }]
  }

  /** A bus without memory has nothing to store. */
  async commit(): Promise<void> {}

  async close(): Promise<void> {
    const client = this.#client
    this.#client = null
    this.#resume = null
    await client?.endAsync(true)
  }

  /** `done` tells the client to read on. */
  #take(topic: string, payload: Buffer | string, done: () => void): void {
    this.#queue.push({
      key: Buffer.from(topic),
      value: typeof payload === 'string' ? Buffer.from(payload) : payload,
      partition: PARTITION,
      offset: this.#offset++,
    })
    this.#wake()
    if (this.#queue.length < this.#maxQueued) done()
    else this.#resume = done
  }

  #news(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
