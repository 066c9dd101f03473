import type { BridgeConfig } from '../config/schema.ts'
import { aborted, TURN_MS, withDeadline } from '../engine/ending.ts'
import { mqttSource } from '../engine/mqtt-parts.ts'
import { isSyncBeat } from '../examon/payload.ts'
import { TopicTable } from '../examon/topic-table.ts'
import { type KafkaWriter, type OutgoingRecord, openWriter } from '../sinks/producer.ts'
import { openSecurity } from '../sources/kafka-security.ts'
import type { MqttSource } from '../sources/mqtt.ts'
import type { SourceRecord } from '../sources/source.ts'
import { startHttp } from '../telemetry/http.ts'
import { createLogger } from '../telemetry/logger.ts'
import { Telemetry } from '../telemetry/telemetry.ts'

const POLL_MS = 250

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
  let source: MqttSource | null = null
  let writer: KafkaWriter | null = null
  try {
    source = mqttSource(from, telemetry)
    const address = {
      brokers: to.brokers,
      clientId: to.client_id,
      brokersKey: 'bridge.brokers',
      security: openSecurity(to, 'bridge'),
    }
    writer = await openWriter(address, to.topic, 'bridge.topic', (name, detail) => {
      telemetry.sourceEvent(name, detail)
      telemetry.notReady(`Kafka does not take messages: ${detail}`)
    })
    await source.start()
    telemetry.ready()
    await forward(source, writer, to.topic, telemetry, signal)
    telemetry.stopping('signal')
  } finally {
    await withDeadline(Promise.allSettled([source?.close(), writer?.close(), http.close()]).then(() => {}))
    telemetry.stopped()
  }
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
    const { series, drained, reason, detail } = topics.meaningOf(key)
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
  const stopped = aborted(signal, TURN_MS).then(() => false)
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
