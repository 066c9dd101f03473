/** Checks across the keys of a configuration. */
import type { Rule } from './document.ts'
import { formatDuration } from './duration.ts'
import { type Problem, pathText, problem } from './problems.ts'
import type { Config } from './schema.ts'
import { security } from './security.ts'
import { TUNE_RULES } from './tune-rules.ts'

/** A spacing that divides the length, so that windows are made of whole panes. */
const spacing: Rule<Config> = {
  reads: ['training'],
  check({ training: { window, every } }) {
    if (every === undefined || (every <= window && window % every === 0)) return []
    const [short, long] = [formatDuration(every), formatDuration(window)]
    const what =
      every > window ? `is longer than the window of ${long}` : `does not divide the window of ${long}`
    return [problem(['training', 'every'], `${short} ${what}`)]
  },
}

/** A node is forgotten only after its last window has closed. */
const patience: Rule<Config> = {
  reads: ['windows'],
  check({ windows }) {
    return (['lateness', 'idle_timeout'] as const)
      .filter((key) => windows[key] >= windows.forget_after)
      .map((key) =>
        problem(
          ['windows', key],
          `${formatDuration(windows[key])} is not below windows.forget_after (${formatDuration(windows.forget_after)})`,
        ),
      )
  },
}

/** Two writers of one file would tear each other's lines. */
const separateFiles: Rule<Config> = {
  reads: ['sinks'],
  check({ sinks = [] }) {
    const problems: Problem[] = []
    const owners = new Map<string, string>()
    for (const [i, sink] of sinks.entries()) {
      if (sink.type !== 'ndjson') continue
      for (const key of ['flags', 'alarms'] as const) {
        const path = ['sinks', i, key]
        const owner = owners.get(sink[key])
        if (owner) problems.push(problem(path, `${owner} already writes ${sink[key]}`))
        owners.set(sink[key], pathText(path))
      }
    }
    return problems
  },
}

/** Each kind of record has its own topic, and none comes back in as input. */
const separateTopics: Rule<Config> = {
  reads: ['source', 'sinks'],
  check({ source, sinks = [] }) {
    const problems: Problem[] = []
    const read = source?.type === 'kafka' ? [...source.topics, source.state_topic] : []
    if (source?.type === 'kafka' && source.topics.includes(source.state_topic)) {
      problems.push(problem(['source', 'state_topic'], `${source.state_topic} is one of source.topics`))
    }
    for (const [i, sink] of sinks.entries()) {
      if (sink.type !== 'kafka') continue
      if (sink.flags_topic === sink.alarms_topic) {
        problems.push(problem(['sinks', i, 'alarms_topic'], `${sink.alarms_topic} is also flags_topic`))
      }
      for (const key of ['flags_topic', 'alarms_topic'] as const) {
        if (read.includes(sink[key])) {
          problems.push(problem(['sinks', i, key], `${sink[key]} is also read by the source`))
        }
      }
    }
    return problems
  },
}

/** What stands before the tags of a node must be tags itself, or no reader makes sense of the topic. */
const topicPrefix: Rule<Config> = {
  reads: ['sinks'],
  check({ sinks = [] }) {
    return sinks.flatMap((sink, i) => {
      if (sink.type !== 'mqtt' || sink.prefix === undefined) return []
      const levels = sink.prefix.split('/')
      const isPairs = levels.length % 2 === 0 && !levels.includes('') && !/[#+]/.test(sink.prefix)
      return isPairs
        ? []
        : [
            problem(
              ['sinks', i, 'prefix'],
              `expected pairs of tag and value, org/cineca/…, found ${sink.prefix}`,
            ),
          ]
    })
  },
}

/** Avro is nothing without its schema, and a registry speaks HTTP. */
const registry: Rule<Config> = {
  reads: ['source', 'sinks'],
  check({ source, sinks = [] }) {
    const problems: Problem[] = []
    const addresses: [(string | number)[], string | undefined][] = []
    if (source?.type === 'kafka') addresses.push([['source'], source.schema_registry?.url])
    for (const [i, sink] of sinks.entries()) {
      if (sink.type !== 'kafka') continue
      addresses.push([['sinks', i], sink.schema_registry?.url])
      if ((sink.format === 'avro') !== (sink.schema_registry !== undefined))
        problems.push(problem(['sinks', i, 'format'], 'avro and schema_registry need each other'))
    }
    for (const [where, url] of addresses) {
      if (url === undefined || /^https?:\/\/[^/]/.test(url)) continue
      problems.push(
        problem([...where, 'schema_registry', 'url'], `expected http://… or https://…, found ${url}`),
      )
    }
    return problems
  },
}

/** The page makes a link of it, which must not run as a script. */
const nodeLink: Rule<Config> = {
  reads: ['http'],
  check: ({ http: { node_link: link } }) =>
    link === undefined || (/^https?:\/\/[^/{]/.test(link) && link.includes('{node}'))
      ? []
      : [problem(['http', 'node_link'], `expected http://… or https://… with {node} in it, found ${link}`)],
}

/** Momentum belongs to plain gradient descent. */
const momentum: Rule<Config> = {
  reads: ['training'],
  check({ training }) {
    return (['pretrain', 'cluster'] as const)
      .filter((stage) => training[stage].optimiser === 'adam' && training[stage].momentum !== undefined)
      .map((stage) =>
        problem(['training', stage, 'momentum'], 'adam has no momentum; leave it out or use sgd'),
      )
  },
}

export const RULES: readonly Rule<Config>[] = [
  spacing,
  patience,
  separateFiles,
  separateTopics,
  momentum,
  security,
  topicPrefix,
  registry,
  nodeLink,
  ...TUNE_RULES,
]

/** What `run` needs and `bootstrap` does not. */
export const RUN_KEYS = ['model', 'source', 'sinks'] as const

export const NEEDED_BY_RUN: readonly Rule<Config>[] = RUN_KEYS.map((key) => needed(key, 'run'))

function needed(key: keyof Config, verb: string): Rule<Config> {
  return {
    reads: [key],
    check: (config) =>
      config[key] === undefined
        ? [{ path: [], at: 'value', message: `${key} is missing, and ${verb} needs it` }]
        : [],
  }
}

/** What `bridge` needs: MQTT to read, Kafka to write to. */
export const NEEDED_BY_BRIDGE: readonly Rule<Config>[] = [
  needed('source', 'bridge'),
  needed('bridge', 'bridge'),
  {
    reads: ['source'],
    check: ({ source }) =>
      source === undefined || source.type === 'mqtt'
        ? []
        : [problem(['source', 'type'], `bridge reads mqtt, found ${source.type}`)],
  },
]
