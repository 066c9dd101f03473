import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Type } from 'avsc'
import { isExactlyOnce } from '../config/delivery.ts'
import type { KafkaSourceConfig, RunConfig, SinkConfig, SourceConfig } from '../config/schema.ts'
import { AvroSchemas, parseSchema } from '../examon/avro.ts'
import { openHistory } from '../history/history.ts'
import { planFaults, usualFaultCount } from '../simulator/faults.ts'
import { placeNodes } from '../simulator/layout.ts'
import { Machine } from '../simulator/machine.ts'
import { TICK_MS } from '../simulator/node.ts'
import { KafkaSink } from '../sinks/kafka.ts'
import { MqttSink } from '../sinks/mqtt.ts'
import { NdjsonSink } from '../sinks/ndjson.ts'
import type { Sink } from '../sinks/sink.ts'
import { KafkaSource } from '../sources/kafka.ts'
import { openSecurity } from '../sources/kafka-security.ts'
import { ReplaySource } from '../sources/replay.ts'
import { type RegistryAddress, RegistrySchemas } from '../sources/schema-registry.ts'
import { SimulatorSource } from '../sources/simulator.ts'
import type { Source } from '../sources/source.ts'
import { openTls } from '../sources/tls.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { type Checkpoint, KafkaCheckpoint } from './checkpoint.ts'
import type { EngineParts } from './engine.ts'
import { ExactlyOnce } from './exactly-once.ts'
import { FileCheckpoint } from './file-checkpoint.ts'
import { mqttAddress, mqttSource } from './mqtt-parts.ts'

const DAY_MS = 86_400_000
/** Faults of an endless simulation are planned this far ahead, days. */
const ENDLESS_DAYS = 28

/** What stands at both ends of the line. */
export interface Ends {
  source: Source
  checkpoint: Checkpoint | null
  sinks: Sink[]
  exactlyOnce: ExactlyOnce | null
  schemas: Schemas | null
}

type Schemas = NonNullable<EngineParts['schemas']>

/** Source, sinks and what keeps their progress, as the configuration names them. */
export async function openEnds({ source, sinks }: RunConfig, telemetry: Telemetry): Promise<Ends> {
  if (source.type === 'kafka') return await openKafkaEnds(source, sinks, telemetry)
  const opened = await openSource(source, telemetry)
  return {
    ...opened,
    sinks: createSinks(sinks, DEFAULT_CLIENT_ID, telemetry),
    exactlyOnce: null,
    schemas: null,
  }
}

const DEFAULT_CLIENT_ID = 'examon-dec'

async function openKafkaEnds(
  config: KafkaSourceConfig,
  sinkConfigs: readonly SinkConfig[],
  telemetry: Telemetry,
): Promise<Ends> {
  const { brokers, client_id: clientId, group, instance_id: instanceId } = config
  const isTransactional = config.delivery === 'exactly_once'
  const isInside = (sink: SinkConfig): boolean => isExactlyOnce(sink, config)
  const schemas = openSchemas(config, telemetry)
  const sinks = createSinks(sinkConfigs, clientId, telemetry, isInside)
  const { source, checkpoint } = await openKafka(config, telemetry)
  if (!isTransactional) return { source, checkpoint, sinks, exactlyOnce: null, schemas }
  const inside = sinks.filter(
    (sink, i) => sink instanceof KafkaSink && isInside(sinkConfigs[i] as SinkConfig),
  )
  const address = {
    brokers,
    clientId,
    security: openSecurity(config, 'source'),
    brokersKey: 'source.brokers',
  }
  // A static member fences its own past; of others each process is somebody else, and the group fences those that are gone.
  const id = `${group}-${instanceId ?? randomUUID()}`
  const parts = { source, checkpoint, sinks: inside as KafkaSink[] }
  return { source, checkpoint, sinks, exactlyOnce: new ExactlyOnce(parts, telemetry, address, id), schemas }
}

/** The schemas named in files, and the registry for all others. */
function openSchemas(config: KafkaSourceConfig, telemetry: Telemetry): Schemas {
  const known = new AvroSchemas(config.avro_schemas.map(readSchema))
  const address = registryOf(config.schema_registry, 'source')
  if (address === undefined) return { known, registry: null }
  const onOutage = (reason: string | null): void => {
    telemetry.sourceEvent(reason === null ? 'registry_back' : 'registry_away', reason ?? address.url)
    if (reason === null) telemetry.ready()
    else telemetry.notReady(reason)
  }
  return { known, registry: new RegistrySchemas(address, known, onOutage) }
}

function readSchema(file: string): Type {
  try {
    return parseSchema(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`can't use ${file} (config key source.avro_schemas): ${(error as Error).message}`)
  }
}

function registryOf(
  config: KafkaSourceConfig['schema_registry'],
  where: string,
): RegistryAddress | undefined {
  if (config === undefined) return undefined
  const { url, username, password, tls } = config
  const key = `${where}.schema_registry`
  return {
    url,
    key,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...(tls === undefined ? {} : { tls: openTls(tls, `${key}.tls`) }),
  }
}

async function openKafka(
  config: KafkaSourceConfig,
  telemetry: Telemetry,
): Promise<{ source: KafkaSource; checkpoint: KafkaCheckpoint }> {
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

async function openSource(
  config: Exclude<SourceConfig, KafkaSourceConfig>,
  telemetry: Telemetry,
): Promise<{ source: Source; checkpoint: Checkpoint | null }> {
  switch (config.type) {
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
  const startMs = Math.floor((config.start ?? Date.now()) / TICK_MS) * TICK_MS
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

function createSinks(
  configs: readonly SinkConfig[],
  clientId: string,
  telemetry: Telemetry,
  isInTransaction: (config: SinkConfig) => boolean = () => false,
): Sink[] {
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
      isInTransaction: isInTransaction(config),
      registry: registryOf(config.schema_registry, `sinks[${i}]`),
      onEvent: (name, detail) => telemetry.sourceEvent(name, detail),
    })
  })
}
