import { setTimeout as sleep } from 'node:timers/promises'
import type { BridgeConfig } from '../config/schema.ts'
import { mqttAddress } from '../engine/parts.ts'
import { isSyncBeat } from '../examon/payload.ts'
import { TopicTable } from '../examon/topic-table.ts'
import { KafkaWriter, type OutgoingRecord } from '../sinks/producer.ts'
import { assertReachable, missingTopic } from '../sources/kafka-cluster.ts'
import { openSecurity } from '../sources/kafka-security.ts'
import { MqttSource } from '../sources/mqtt.ts'
import type { SourceRecord } from '../sources/source.ts'
import { startHttp } from '../telemetry/http.ts'
import { createLogger } from '../telemetry/logger.ts'
import { Telemetry } from '../telemetry/telemetry.ts'

const POLL_MS = 250
/** How long a write under way may go on after the signal, ms. */
const TURN_MS = 4_000
/** Closing that takes longer than this is cut short, ms. */
const CLOSE_MS = 4_000

/**
 * ExaMon's bus into Kafka, in the reference form (key = MQTT topic, value = payload), every node in one partition, so that members
 * of a group can share the topic. Runs until the signal aborts. What no daemon would read is left out and counted. While Kafka
 * is away messages wait, up to the source's bound, and then in the MQTT broker.
 */
export async function runBridge(config: BridgeConfig, version: string, signal: AbortSignal): Promise<void> {
  const { source: from, bridge: to } = config
  const telemetry = new Telemetry({ logger: createLogger(config.log.level), version })
  telemetry.starting({ source: from.url, topic: to.topic })
  const http = await startHttp({ ...config.http, telemetry })
  telemetry.listening(http.url)
  const source = new MqttSource({
    ...mqttAddress(from, 'source', telemetry),
    topics: from.topics,
    qos: from.qos,
    keepSession: from.keep_session,
  })
  let writer: KafkaWriter | null = null
  try {
    writer = await openWriter(to, telemetry)
    await source.start()
    telemetry.ready()
    await forward(source, writer, to.topic, telemetry, signal)
    telemetry.stopping('signal')
  } finally {
    const closing = Promise.allSettled([source.close(), writer?.close(), http.close()])
    await Promise.race([closing, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())])
    telemetry.stopped()
  }
}

async function openWriter(to: BridgeConfig['bridge'], telemetry: Telemetry): Promise<KafkaWriter> {
  const address = {
    brokers: to.brokers,
    clientId: to.client_id,
    brokersKey: 'bridge.brokers',
    security: openSecurity(to, 'bridge'),
  }
  await assertReachable(address)
  const writer = new KafkaWriter(address, (name, detail) => {
    telemetry.sourceEvent(name, detail)
    telemetry.notReady(`Kafka does not take messages: ${detail}`)
  })
  const metadata = await writer.metadata([to.topic])
  if (!('missing' in metadata)) return writer
  await writer.close()
  throw missingTopic(to.topic, 'bridge.topic', address)
}

async function forward(
  source: MqttSource,
  writer: KafkaWriter,
  topic: string,
  telemetry: Telemetry,
  signal: AbortSignal,
): Promise<void> {
  const topics = new TopicTable()
  /** What chooses the partition, one a node. */
  const nodes = new Map<string, Buffer>()
  const outgoing = (record: SourceRecord): OutgoingRecord | null => {
    const { key, value } = record
    if (key === null || value === null || isSyncBeat(value)) return null
    const { series, drained, reason, detail } = topics.find(key) ?? topics.meaningOf(key)
    const node = series?.node ?? drained?.node
    if (node === undefined) {
      telemetry.dropped(reason, `${key}: ${detail}`)
      return null
    }
    let partitionBy = nodes.get(node)
    if (partitionBy === undefined) {
      partitionBy = Buffer.from(node)
      nodes.set(node, partitionBy)
    }
    return { topic, key, value, partitionBy }
  }
  const stopped = aborted(signal).then(() => sleep(TURN_MS, false, { ref: false }))
  while (!signal.aborted) {
    const event = await source.poll(POLL_MS)
    if (event.kind !== 'records') continue
    telemetry.recordsRead(event.records.length)
    const records = event.records.map(outgoing).filter((record) => record !== null)
    // An outage is retried for ever within. After the signal it gets a moment; what it holds then is lost, as all is on a
    // bus without memory.
    const sent = writer.write(records).then(() => true)
    if (!(await Promise.race([sent, stopped]))) {
      sent.catch(() => {})
      telemetry.dropped('undelivered', `${records.length} messages at the end`, records.length)
      return
    }
    telemetry.bridged(records.length)
    if (!telemetry.status.daemon.ready) telemetry.ready()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
