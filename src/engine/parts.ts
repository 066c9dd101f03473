import type { SinkConfig, SourceConfig } from '../config/schema.ts'
import { openHistory } from '../history/history.ts'
import { planFaults, usualFaultCount } from '../simulator/faults.ts'
import { placeNodes } from '../simulator/layout.ts'
import { Machine } from '../simulator/machine.ts'
import { KafkaSink } from '../sinks/kafka.ts'
import { MqttSink } from '../sinks/mqtt.ts'
import { NdjsonSink } from '../sinks/ndjson.ts'
import type { Sink } from '../sinks/sink.ts'
import { KafkaSource } from '../sources/kafka.ts'
import { openSecurity } from '../sources/kafka-security.ts'
import { ReplaySource } from '../sources/replay.ts'
import { SimulatorSource } from '../sources/simulator.ts'
import type { Source } from '../sources/source.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { type Checkpoint, KafkaCheckpoint } from './checkpoint.ts'
import { FileCheckpoint } from './file-checkpoint.ts'
import { mqttAddress, mqttSource } from './mqtt-parts.ts'

const DAY_MS = 86_400_000
/** Faults of an endless simulation are planned this far ahead, days. */
const ENDLESS_DAYS = 28

/** The source that the configuration names, with its checkpoint where it has one. */
export async function openSource(
  config: SourceConfig,
  telemetry: Telemetry,
): Promise<{ source: Source; checkpoint: Checkpoint | null }> {
  switch (config.type) {
    case 'kafka': {
      const onEvent = (name: string, detail: string): void => {
        telemetry.sourceEvent(name, detail)
        if (name === 'fetch_failed') telemetry.notReady(`can't read from Kafka: ${detail}`)
        if (name === 'fetch_recovered') telemetry.ready()
      }
      const { brokers, topics, group, from } = config
      const security = openSecurity(config, 'source')
      const source = new KafkaSource({
        brokers,
        topics,
        group,
        from,
        security,
        clientId: config.client_id,
        onEvent,
        ...(config.instance_id === undefined ? {} : { instanceId: config.instance_id }),
      })
      const checkpoint = await KafkaCheckpoint.open({
        brokers,
        security,
        clientId: config.client_id,
        topic: config.state_topic,
        partitions: STATE_PARTITIONS,
        onEvent,
      })
      return { source, checkpoint }
    }
    case 'mqtt': {
      const checkpoint = config.state_file === undefined ? null : await FileCheckpoint.open(config.state_file)
      return { source: mqttSource(config, telemetry), checkpoint }
    }
    case 'replay': {
      const history = await openHistory(config.history)
      return { source: new ReplaySource({ history, speed: config.speed }), checkpoint: null }
    }
    case 'simulator':
      return { source: simulatorSource(config), checkpoint: null }
  }
}

/** Every member reads the whole state topic, so its partitions need not match those of the input. */
const STATE_PARTITIONS = 1

function simulatorSource(config: Extract<SourceConfig, { type: 'simulator' }>): SimulatorSource {
  const { nodes, seed, speed, days } = config
  const startMs = config.start ?? Date.now()
  const faultDays = days ?? ENDLESS_DAYS
  const toMs = startMs + faultDays * DAY_MS
  const faults = config.faults
    ? planFaults({
        nodes: placeNodes(nodes),
        seed,
        fromMs: startMs,
        toMs,
        count: usualFaultCount(nodes, faultDays),
      })
    : []
  const machine = new Machine({ nodes, seed, startMs, faults })
  return new SimulatorSource({ machine, speed, ...(days === undefined ? {} : { endMs: toMs }) })
}

export function createSinks(configs: readonly SinkConfig[], clientId: string, telemetry: Telemetry): Sink[] {
  return configs.map((config, i) => {
    if (config.type === 'ndjson') {
      return new NdjsonSink({
        flags: config.flags,
        alarms: config.alarms,
        anomalousOnly: config.anomalous_only,
        keep: config.keep,
        ...(config.max_size === undefined ? {} : { maxBytes: config.max_size }),
      })
    }
    if (config.type === 'mqtt') {
      const address = mqttAddress(config, `sinks[${i}]`, telemetry)
      return new MqttSink({ ...address, prefix: config.prefix ?? '', anomalousOnly: config.anomalous_only })
    }
    return new KafkaSink({
      brokers: config.brokers,
      security: openSecurity(config, `sinks[${i}]`),
      clientId,
      flagsTopic: config.flags_topic,
      alarmsTopic: config.alarms_topic,
      anomalousOnly: config.anomalous_only,
      createTopics: config.create_topics,
      configKey: `sinks[${i}]`,
      onEvent: (name, detail) => telemetry.sourceEvent(name, detail),
    })
  })
}
