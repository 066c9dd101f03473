import type { SourceRecord } from '../sources/source.ts'
import { isObject } from './forms/message.ts'
import { rackOfNode } from './node-name.ts'
import { LAST_SECOND, parseNumber } from './payload.ts'
import { type DropReason, LARGEST_VALUE, type SampleHandler, type Series } from './sample.ts'
import { CHANNEL_TAG, DATA_CHANNEL, DRAINED_TAG, drainedOf, OWN_PLUGIN, PLUGIN_TAG } from './topic.ts'

const OPENING = new Set([...'{["'].map((c) => c.charCodeAt(0)))
const CLOSING = new Set([...'}]"'].map((c) => c.charCodeAt(0)))
/** Space and below: what JSON allows around a document. */
const BLANK = 0x20

/** True when the first and last characters are those of a JSON object, list or text; `value;seconds` ends in a digit. */
export function looksLikeJson(value: Buffer): boolean {
  let last = value.length - 1
  while (last > 0 && (value[last] as number) <= BLANK) last--
  if (!CLOSING.has(value[last] as number)) return false // the caller has seen to it that there is a byte
  let first = 0
  while (first < last && (value[first] as number) <= BLANK) first++
  return OPENING.has(value[first] as number)
}

/** Makes a series, or returns null where there are too many. */
export type NewSeries = (node: string, rack: string | null, sensor: string) => Series | null

interface NodeSeries {
  rack: string | null
  sensors: Map<string, Series>
}

/**
 * Samples as JSON. The Kafka key is the node unless the document names one (`node`, or `node` among `tags`); times are ms:
 * `{"metric"|"name": "ambient", "value": 21.4, "timestamp": 1658832080010}` (ExaMon's json and bulk formats),
 * `{"name": "ambient", "tags": {…}, "datapoints": [["1658832080010", 21.4], …]}` (KairosDB's form, which ExaMon's bridge
 * writes), or `{"timestamp": 1658832080010, "metrics": {"ambient": 21.4}}`.
 */
export class JsonDecoder {
  readonly #nodes = new Map<string, NodeSeries>()
  readonly #newSeries: NewSeries

  constructor(newSeries: NewSeries) {
    this.#newSeries = newSeries
  }

  /** Takes one parsed object. */
  take(item: Record<string, unknown>, record: SourceRecord, handler: SampleHandler): void {
    const tags = isObject(item.tags) ? item.tags : {}
    if (tags[PLUGIN_TAG] === OWN_PLUGIN) {
      handler.drop('own_output', record, `plugin ${OWN_PLUGIN}`)
      return
    }
    const channel = tags[CHANNEL_TAG]
    if (channel !== undefined && channel !== DATA_CHANNEL) {
      handler.drop('not_data', record, `channel ${excerpt(channel)}`)
      return
    }
    const name = item.metric ?? item.name
    const several = isObject(item.metrics) ? Object.entries(item.metrics) : null
    if (several === null && (typeof name !== 'string' || name === '')) {
      handler.drop('bad_payload', record, 'neither "metric", "name" nor "metrics"')
      return
    }
    const node = nodeOf(item.node ?? tags.node, record.key)
    if (node === null) {
      handler.drop('no_node', record, 'neither "node" nor a key that names one')
      return
    }
    const rack = text(item.rack ?? tags.rack) ?? this.#nodes.get(node)?.rack ?? rackOfNode(node)
    const muted = drainedOf(text(tags[DRAINED_TAG]))
    const points: unknown[] = Array.isArray(item.datapoints)
      ? item.datapoints
      : [[item.timestamp, item.value]]
    for (const point of points) {
      const [time, value]: unknown[] = Array.isArray(point) ? point : []
      const timeMs = timeOf(time)
      if (timeMs === undefined) {
        handler.drop('bad_time', record, `timestamp ${excerpt(time)}, ms since 1970 are needed`)
        continue
      }
      if (muted !== null) handler.maintenance(node, rack, muted, timeMs, record)
      else if (several === null) this.#sample(node, rack, name as string, value, timeMs, record, handler)
      else for (const [sensor, v] of several) this.#sample(node, rack, sensor, v, timeMs, record, handler)
    }
  }

  #sample(
    node: string,
    rack: string | null,
    sensor: string,
    value: unknown,
    timeMs: number,
    record: SourceRecord,
    handler: SampleHandler,
  ): void {
    const number = numberOf(value)
    if (typeof number === 'string') {
      handler.drop(number, record, `${sensor}: ${excerpt(value)}`)
      return
    }
    const series = this.#series(node, rack, sensor)
    if (series === null) handler.drop('bad_topic', record, 'too many series')
    else handler.sample(series, number, timeMs, record)
  }

  #series(node: string, rack: string | null, sensor: string): Series | null {
    let known = this.#nodes.get(node)
    const found = known?.sensors.get(sensor)
    if (found !== undefined) return found
    const series = this.#newSeries(node, rack, sensor)
    if (series === null) return null
    if (known === undefined) {
      known = { rack, sensors: new Map() }
      this.#nodes.set(node, known)
    }
    known.sensors.set(sensor, series)
    return series
  }
}

/** Characters of a bad value that go into a message. */
const EXCERPT_LENGTH = 60

function excerpt(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, EXCERPT_LENGTH)
}

/** Racks are names, but some publishers write them as numbers. */
function text(value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : null
}

/** A key with a slash is an MQTT topic and names no node by itself. */
function nodeOf(named: unknown, key: Buffer | null): string | null {
  if (named !== undefined) return text(named)
  const node = key?.toString('utf8') ?? ''
  return node === '' || node.includes('/') ? null : node
}

function timeOf(timestamp: unknown): number | undefined {
  const ms = typeof timestamp === 'string' ? parseNumber(timestamp) : timestamp
  return typeof ms === 'number' && ms >= 0 && ms <= LAST_SECOND * 1000 ? Math.trunc(ms) : undefined
}

/** The number, also where it is written as a string; otherwise the reason. */
function numberOf(value: unknown): number | DropReason {
  if (value === undefined || value === null || value === '') return 'no_value'
  const number = typeof value === 'string' ? parseNumber(value) : value
  if (typeof number !== 'number') return 'not_numeric'
  return Math.abs(number) <= LARGEST_VALUE ? number : 'not_finite'
}
