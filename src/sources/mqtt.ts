import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import type { Secret } from '../config/secret.ts'
import type { PartitionProgress, Source, SourceEvent, SourceRecord } from './source.ts'
import { isTlsProblem, type TlsOptions, tlsWords } from './tls.ts'

export interface MqttSourceOptions {
  /** `mqtt://host:port` or, with TLS, `mqtts://host:port`. */
  url: string
  /** Topic filters. */
  topics: string[]
  clientId: string
  qos: 0 | 1
  /** The broker keeps the session, and what comes with `qos` 1, while this client is away. */
  keepSession: boolean
  username?: string
  password?: Secret
  tls?: TlsOptions
  /** Messages that wait for the reader at most; see `MAX_QUEUED`. */
  maxQueued?: number
  /** How long `start` waits for a broker, ms; 10,000 unless told. */
  startTimeoutMs?: number
  /** What happens beside the records: `mqtt_lost`, `mqtt_back`. */
  onEvent?: (name: string, detail: string) => void
}

const PARTITION = 0
/** Records handed on at once: a few ms of work for the engine. */
const CHUNK_RECORDS = 4096
/**
 * Messages that wait for the reader before the connection is left unread: half a minute of a Marconi-100, in about 100 MB. The
 * broker then queues, or drops, by its own limits.
 */
const MAX_QUEUED = 262_144
const START_TIMEOUT_MS = 10_000
const RECONNECT_MS = 1_000
const CONNECT_TIMEOUT_MS = 5_000
const KEEPALIVE_SECONDS = 15
/** Wire version 3.1.1, which every broker since 2014 speaks. */
const PROTOCOL_VERSION = 4
/** Refusals that trying again does not mend (MQTT 3.1.1, table 3.1): version, client id, user or password, authorisation. */
const FINAL_REFUSALS = new Set([1, 2, 4, 5])
const REFUSED_CLIENT_ID = 2

/**
 * ExaMon's own bus as the source. Records have the reference form, key = MQTT topic; all are of one partition, numbered as they
 * come. There is no replay: what is published while nobody listens is gone, unless the broker keeps the session and
 * publishers send with QoS 1. Once started, an outage of the broker is retried for ever, and `poll` says `idle`.
 */
export class MqttSource implements Source {
  readonly kind = 'mqtt'
  readonly #options: MqttSourceOptions
  readonly #maxQueued: number
  #client: MqttClient | null = null
  #queue: SourceRecord[] = []
  #offset = 0
  #assigned = false
  /** Goes on with reading, where that was left because of a full queue. */
  #resume: (() => void) | null = null
  #wake: () => void = () => {}

  constructor(options: MqttSourceOptions) {
    this.#options = options
    this.#maxQueued = options.maxQueued ?? MAX_QUEUED
  }

  async start(): Promise<void> {
    const { url, topics, qos, startTimeoutMs = START_TIMEOUT_MS } = this.#options
    const client = connect(url, this.#clientOptions())
    this.#client = client
    client.handleMessage = ({ topic, payload }, done) => this.#take(topic, payload, done)
    const giveUp = new AbortController()
    try {
      await Promise.race([connected(client, url), tooLate(client, url, startTimeoutMs, giveUp.signal)])
    } finally {
      giveUp.abort()
    }
    const granted = await client.subscribeAsync(topics, { qos })
    const refused = granted.filter((grant) => grant.qos > 2).map(({ topic }) => topic)
    if (refused.length > 0)
      throw new Error(
        `MQTT broker ${url} refuses the subscription to ${refused.join(', ')} (config key source.topics)`,
      )
    this.#watch(client)
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

  #clientOptions(): IClientOptions {
    const { clientId, keepSession, username, password, tls } = this.#options
    return {
      clientId,
      clean: !keepSession,
      protocolVersion: PROTOCOL_VERSION,
      keepalive: KEEPALIVE_SECONDS,
      reconnectPeriod: RECONNECT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectOnConnackError: true,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: password.reveal() }),
      ...tls,
    }
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

  /** Tells of the connection once it has stood for the first time. */
  #watch(client: MqttClient): void {
    const { url, onEvent } = this.#options
    let why = 'connection closed'
    let lost = false
    client.removeAllListeners('error')
    client.on('error', (error) => {
      why = error.message
    })
    client.on('close', () => {
      if (lost || this.#client === null) return
      lost = true
      onEvent?.('mqtt_lost', `${url}: ${why}`)
    })
    client.on('connect', () => {
      if (!lost) return
      lost = false
      why = 'connection closed'
      onEvent?.('mqtt_back', url)
    })
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

/** Resolves once the broker has taken the client, rejects where no later attempt can succeed, naming the key to mend. */
function connected(client: MqttClient, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve())
    client.on('error', (error) => {
      const key = refusedKey(error)
      if (key === null) return
      const why = tlsWords(error.message)
      reject(new Error(`MQTT broker ${url} refuses the connection (config key ${key}): ${why}`))
    })
  })
}

/** Rejects after a time, with what was heard last. */
async function tooLate(client: MqttClient, url: string, ms: number, signal: AbortSignal): Promise<void> {
  let why = 'no answer'
  client.on('error', (error) => {
    why = tlsWords(error.message || String((error as NodeJS.ErrnoException).code))
  })
  await sleep(ms, undefined, { signal }).catch(() => {})
  if (!signal.aborted) throw new Error(`no MQTT broker answers at ${url} (config key source.url): ${why}`)
}

/** The key to mend before another attempt can succeed, or null where a later one may. */
function refusedKey(error: Error & { code?: unknown }): string | null {
  if (isTlsProblem(error)) return 'source.tls'
  if (typeof error.code !== 'number' || !FINAL_REFUSALS.has(error.code)) return null
  return error.code === REFUSED_CLIENT_ID ? 'source.client_id' : 'source.username'
}
