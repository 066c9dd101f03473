import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { isExactlyOnce } from '../config/delivery.ts'
import { formatDuration } from '../config/duration.ts'
import { loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problems.ts'
import { RUN_KEYS } from '../config/rules.ts'
import type { Config, SinkConfig, SourceConfig } from '../config/schema.ts'

/** `check config FILE` and `check model DIR`. */
export function checkCommand(): Command {
  const check = new Command('check')
    .description('Check a configuration file or a model bundle, without connecting to anything.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ examon-dec check config examon-dec.yaml\n  $ examon-dec check model models/marconi100',
    )
  check
    .command('config')
    .description('Check a configuration file and say what it will read and write.')
    .argument('<file>', 'configuration file (YAML)')
    .option('--json', 'print the outcome as JSON')
    .action(checkConfig)
  check
    .command('model')
    .description('Check that a model bundle is whole and of a form that this version reads.')
    .argument('<dir>', 'folder of the bundle')
    .option('--json', 'print the outcome as JSON')
    .action(checkModel)
  return check
}

function checkConfig(file: string, options: { json?: boolean }): void {
  try {
    const config = loadConfig(file)
    const missing = RUN_KEYS.filter((key) => config[key] === undefined)
    const { reads, writes } = plainWords(config)
    if (options.json) {
      printJson({ file, ok: true, problems: [], reads, writes, missing_for_run: missing })
      return
    }
    const lines = [
      `${file}: valid`,
      'Reads',
      ...reads.map((r) => `  ${r}`),
      'Writes',
      ...writes.map((w) => `  ${w}`),
    ]
    if (missing.length > 0) lines.push(`Enough for bootstrap; run also needs: ${missing.join(', ')}`)
    process.stdout.write(`${lines.join('\n')}\n`)
  } catch (error) {
    if (options.json && error instanceof ConfigError) printJson({ file, ok: false, problems: error.problems })
    throw error
  }
}

async function checkModel(dir: string, options: { json?: boolean }): Promise<void> {
  // Loaded here, so that checking a configuration stays quick.
  const { openBundle } = await import('../model/bundle.ts')
  const bundle = openBundle(dir)
  if (options.json) printJson({ dir, ok: true, version: bundle.version })
  else process.stdout.write(`${dir}: valid, version ${bundle.version}\n`)
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** What a configuration makes `run` read and write, a sentence each. */
export function plainWords(config: Config): { reads: string[]; writes: string[] } {
  const reads: string[] = []
  const writes: string[] = []
  if (config.model) reads.push(`model bundle ${there(config.model)}`)
  if (config.catalogue) reads.push(`metric catalogue ${there(config.catalogue)}`)
  if (config.source) reads.push(sourceWords(config.source))
  for (const sink of config.sinks ?? []) writes.push(...sinkWords(sink, config.source))
  if (config.source?.type === 'kafka') {
    writes.push(
      `state of each node to Kafka topic ${config.source.state_topic}, offsets to group ${config.source.group}`,
    )
  }
  if (config.source?.type === 'mqtt' && config.source.state_file !== undefined) {
    writes.push(`state of each node to file ${config.source.state_file}`)
  }
  if (config.bridge !== undefined) {
    const { topic, brokers } = config.bridge
    writes.push(
      `with bridge: samples to Kafka topic ${topic} at ${brokers.join(', ')}, a node to a partition`,
    )
  }
  const { host, port, tls } = config.http
  writes.push(
    `status page and metrics at ${port === 0 ? `a free port of ${host}` : `http${tls === undefined ? '' : 's'}://${host}:${port}/`}`,
  )
  return { reads, writes }
}

function there(path: string): string {
  return existsSync(path) ? path : `${path} (not there yet)`
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
