/** What a configuration means, in plain words: what `run` reads and writes, what it needs, and what is risky about it. */
import { existsSync } from 'node:fs'
import { isExactlyOnce } from '../config/delivery.ts'
import { formatDuration } from '../config/duration.ts'
import type { Config, SinkConfig, SourceConfig } from '../config/schema.ts'
import type { Manifest } from '../model/manifest.ts'
import { featureCount } from '../windows/schema.ts'

const DAY_MS = 86_400_000
/** The alert ExamonDecModelOld fires from then on, days. */
export const OLD_MODEL_DAYS = 90

export interface Explanation {
  reads: string[]
  writes: string[]
  needs: string[]
  risks: string[]
}

/** Each a list of sentences. `manifest` is that of the bundle, or null where it is not there yet; `nowMs` gives its age. */
export function explain(config: Config, manifest: Manifest | null, nowMs: number): Explanation {
  return {
    reads: reads(config, manifest),
    writes: writes(config),
    needs: manifest === null ? [] : needs(config, manifest),
    risks: risks(config, manifest, nowMs),
  }
}

function reads({ model, catalogue, source }: Config, manifest: Manifest | null): string[] {
  const lines: string[] = []
  if (model) lines.push(`model bundle ${there(model)}`)
  if (manifest !== null) {
    const { schema } = manifest
    lines.push(
      `${featureCount(schema)} features: ${schema.statistics.join(', ')} of ${schema.metrics.length} metrics, in windows of ` +
        `${formatDuration(schema.lengthSeconds)} every ${formatDuration(schema.everySeconds)}; examon-dec inspect model lists them`,
    )
  }
  if (catalogue) lines.push(`metric catalogue ${there(catalogue)}`)
  if (source) lines.push(sourceWords(source))
  return lines
}

function there(path: string): string {
  return existsSync(path) ? path : `${path} (not there yet)`
}

function writes(config: Config): string[] {
  const lines = (config.sinks ?? []).flatMap((sink) => sinkWords(sink, config.source))
  if (config.source?.type === 'kafka') {
    lines.push(
      `state of each node to Kafka topic ${config.source.state_topic}, offsets to group ${config.source.group}`,
    )
  }
  if (config.source?.type === 'mqtt' && config.source.state_file !== undefined) {
    lines.push(`state of each node to file ${config.source.state_file}`)
  }
  if (config.bridge !== undefined) {
    const { topic, brokers } = config.bridge
    lines.push(`with bridge: samples to Kafka topic ${topic} at ${brokers.join(', ')}, a node to a partition`)
  }
  if (config.http.history_file !== undefined)
    lines.push(`what the page shows to file ${config.http.history_file}`)
  const { host, port, tls } = config.http
  const page =
    port === 0 ? `a free port of ${host}` : `http${tls === undefined ? '' : 's'}://${host}:${port}/`
  lines.push(`status page and metrics at ${page}`)
  return lines
}

/** Resident memory by series (nodes × metrics) as docs/sizing.md measured it, MB, none at all by extrapolation; between and beyond, straight lines. */
const MEASURED: readonly (readonly [series: number, megabytes: number])[] = [
  [0, 236],
  [11_500, 251],
  [112_700, 373],
  [1_081_920, 874],
]

/** Of one process that reads the whole machine, MB. */
export function expectedMegabytes(series: number): number {
  let i = 1
  while (i < MEASURED.length - 1 && series > (MEASURED[i]?.[0] ?? 0)) i++
  // Both exist: i stays within 1 and the last index.
  const [from, low] = MEASURED[i - 1]!
  const [to, high] = MEASURED[i]!
  return low + ((series - from) / (to - from)) * (high - low)
}

function needs({ source }: Config, { schema, scaler }: Manifest): string[] {
  const nodes = source?.type === 'simulator' ? source.nodes : scaler.nodes.length
  if (nodes === 0) return []
  const sensors = schema.metrics.reduce((sum, metric) => sum + metric.sensors.length, 0)
  const perWindow = schema.metrics.reduce((sum, metric) => sum + (metric.expectedSamples ?? 0), 0)
  const rate = Math.round((nodes * perWindow) / schema.lengthSeconds)
  // Rounded, for it is measured on other machines.
  const megabytes = Math.ceil(expectedMegabytes(nodes * sensors) / 10) * 10
  const whose =
    source?.type === 'simulator' ? `${nodes} simulated nodes` : `the ${nodes} nodes of the training`
  const sends = rate > 0 ? `, which send about ${rate} samples/s that the model reads` : ''
  return [`about ${megabytes} MB of memory for ${whose}${sends}`]
}

/** What works, but an operator should have meant. */
function risks(config: Config, manifest: Manifest | null, nowMs: number): string[] {
  const { source, sinks = [], http, detect } = config
  const lines: string[] = []
  if (manifest !== null) {
    const days = Math.floor((nowMs - manifest.training.toMs) / DAY_MS)
    // A recorded or simulated machine has a clock of its own.
    if (days > OLD_MODEL_DAYS && source?.type !== 'replay' && source?.type !== 'simulator')
      lines.push(`the model knows the machine as it was ${days} days ago; retrain it with bootstrap --from`)
    for (const { result, message } of manifest.guards)
      if (result === 'warning') lines.push(`the model: ${message}`)
    if (manifest.calibration.inSample)
      lines.push(
        'the model: no windows were held out, so the threshold is too low for windows it has not seen',
      )
  }
  if (source?.type === 'simulator') lines.push('the machine is simulated: nothing here tells about yours')
  // Without sinks the file is for bridge or bootstrap, which keep no states.
  if (source?.type === 'mqtt' && source.state_file === undefined && sinks.length > 0)
    lines.push('without source.state_file alarms begin anew after every restart')
  if (source?.type === 'kafka' && source.instance_id === undefined)
    lines.push(
      'without source.instance_id a member that was killed waits for the end of its old session to go on',
    )
  for (const [i, sink] of sinks.entries()) {
    if (sink.type === 'kafka' && source?.type === 'kafka' && !isExactlyOnce(sink, source))
      lines.push(`sinks[${i}]: flags can come twice after a crash: ${notOnce(source)}`)
    if (sink.type === 'ndjson' && sink.max_size === undefined)
      lines.push(`sinks[${i}]: files grow without limit; set max_size`)
  }
  if (!isLoopback(http.host) && http.password === undefined && http.token === undefined)
    lines.push(
      `whoever reaches ${http.host}:${http.port} can read page and metrics; set http.password or http.token`,
    )
  if (!isLoopback(http.host) && (http.password ?? http.token) !== undefined && http.tls === undefined)
    lines.push('http.password and http.token go over the network in clear; set http.tls')
  lines.push(...clearPasswords(config))
  if (detect.dwell === 1) lines.push('with detect.dwell 1 a single window over the threshold is an alarm')
  return lines
}

function notOnce(source: SourceConfig & { type: 'kafka' }): string {
  return source.delivery === 'at_least_once'
    ? 'source.delivery is at_least_once'
    : 'it is another cluster than the source'
}

/** Passwords that whoever listens on the network reads. */
function clearPasswords({ source, sinks = [], bridge }: Config): string[] {
  const lines: string[] = []
  const look = (where: string, end: SourceConfig | SinkConfig | Config['bridge']): void => {
    if (end === undefined) return
    if ('url' in end && end.password !== undefined && end.url.startsWith('mqtt://'))
      lines.push(`${where}.password goes over the network in clear; use mqtts://`)
    if ('sasl' in end && end.sasl?.mechanism === 'plain' && end.tls === undefined)
      lines.push(
        `${where}.sasl.password goes over the network in clear; set ${where}.tls or use scram-sha-512`,
      )
  }
  look('source', source)
  for (const [i, sink] of sinks.entries()) look(`sinks[${i}]`, sink)
  look('bridge', bridge)
  return lines
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function sourceWords(source: SourceConfig): string {
  switch (source.type) {
    case 'kafka':
      return `samples from Kafka topic ${source.topics.join(', ')} at ${source.brokers.join(', ')}, as group ${source.group}, first from the ${source.from} record`
    case 'mqtt':
      return `samples from MQTT topic ${source.topics.join(', ')} at ${source.url}`
    case 'replay':
      return `samples from history ${source.history.join(', ')}, ${speedWords(source.speed)}`
    case 'simulator':
      return `samples of a simulated machine of ${source.nodes} nodes, ${speedWords(source.speed)}${
        source.days === undefined ? '' : `, for ${formatDuration(source.days * 86_400)}`
      }`
  }
}

function speedWords(speed: number | 'max'): string {
  if (speed === 'max') return 'as fast as possible'
  return speed === 1 ? 'in real time' : `at ${speed} times real time`
}

function sinkWords(sink: SinkConfig, source: SourceConfig | undefined): string[] {
  const flags = sink.anomalous_only ? 'flags of anomalous windows' : 'flags'
  if (sink.type === 'ndjson') return [`${flags} to file ${sink.flags}`, `alarms to file ${sink.alarms}`]
  if (sink.type === 'mqtt')
    return [
      `scores${sink.anomalous_only ? ' of anomalous windows' : ''} in ExaMon's form to MQTT at ${sink.url}`,
    ]
  const at = `at ${sink.brokers.join(', ')}${sink.create_topics ? ', made if missing' : ''}`
  const once =
    source?.type !== 'kafka' ? '' : isExactlyOnce(sink, source) ? ', exactly once' : ', at least once'
  const form = sink.format === 'avro' ? ' as Avro' : ''
  return [
    `${flags}${form} to Kafka topic ${sink.flags_topic} ${at}${once}`,
    `alarms${form} to Kafka topic ${sink.alarms_topic} ${at}${once}`,
  ]
}
