import type { SourceRecord } from '../sources/source.ts'
import { JsonDecoder, looksLikeJson, type NewSeries } from './json.ts'
import { KeyTable } from './key-table.ts'
import { rackOfNode } from './node-name.ts'
import { isSyncBeat, type Reading, readPayload } from './payload.ts'
import type { DropReason, SampleHandler, Series } from './sample.ts'
import { CHANNEL_TAG, PLUGIN_TAG, parseTopic } from './topic.ts'

/** Detectors publish under this plugin; reading it would feed the daemon its own output. */
export const OWN_PLUGIN = 'examon-ai_pub'
/** The only channel with samples; `cmd` carries orders to plugins. */
export const DATA_CHANNEL = 'data'
/** Nagios' metrics say in this tag, 0 or 1, whether the node is drained. */
const DRAINED_TAG = 'nagiosdrained'

/** Streams of a Marconi-100 (980 nodes × about 700 metrics) and half as many again, in about 400 MB at worst. */
const DEFAULT_MAX_SERIES = 1_048_576
/** So many refused topics are remembered, then all are forgotten: a flood of bad keys costs time, not memory. */
const MAX_REFUSED = 65_536
/** Real topics stay below 300 bytes; MQTT would allow 65,535, of which a million would not fit into memory. */
const MAX_TOPIC_BYTES = 1024

/** What a topic means, worked out once: a series, or whether its node is drained, or why nothing can be made of it. */
interface Meaning {
  series: Series | null
  drained: { node: string; rack: string | null; muted: boolean } | null
  reason: DropReason
  detail: string
}

/**
 * Turns records into samples. Two forms are told apart by content, record by record: key = MQTT topic with value
 * `value;seconds`, and key = node with JSON. A topic seen before costs one look-up.
 */
export class Decoder {
  /** Every series met so far, by id. */
  readonly series: Series[] = []
  readonly #maxSeries: number
  /** Topics that mean something, and what each means. */
  readonly #topics = new KeyTable()
  readonly #meanings: Meaning[] = []
  readonly #refused = new Map<string, Meaning>()
  readonly #json: JsonDecoder
  readonly #reading: Reading = { value: 0, timeMs: 0 }

  constructor(options: { maxSeries?: number } = {}) {
    this.#maxSeries = options.maxSeries ?? DEFAULT_MAX_SERIES
    const newSeries: NewSeries = (node, rack, sensor) => this.#newSeries(node, rack, sensor)
    this.#json = new JsonDecoder(newSeries, OWN_PLUGIN, DATA_CHANNEL)
  }

  /** Calls `handler` for each sample, drain notice or drop in `record`; a sync beat leads to no call. Never throws. */
  decode(record: SourceRecord, handler: SampleHandler): void {
    const { key, value } = record
    if (value === null || value.length === 0) {
      handler.drop('no_value', record, 'empty payload')
      return
    }
    if (isSyncBeat(value)) return
    if (looksLikeJson(value)) {
      this.#json.decode(record, value, handler)
      return
    }
    if (key === null || key.length === 0) {
      handler.drop('no_topic', record, 'no key')
      return
    }
    const id = this.#topics.find(key)
    const meaning = id >= 0 ? (this.#meanings[id] as Meaning) : this.#meaningOf(key)
    if (meaning.series === null && meaning.drained === null) {
      handler.drop(meaning.reason, record, meaning.detail)
      return
    }
    const reading = this.#reading
    const reason = readPayload(value, reading)
    if (meaning.drained !== null) {
      // Only the time matters here; Nagios' own value may well be a sentence.
      if (reason === 'bad_payload' || reason === 'bad_time') {
        handler.drop(reason, record, excerpt(value))
        return
      }
      const { node, rack, muted } = meaning.drained
      handler.maintenance(node, rack, muted, reading.timeMs)
      return
    }
    if (reason !== null) {
      handler.drop(reason, record, excerpt(value))
      return
    }
    handler.sample(meaning.series as Series, reading.value, reading.timeMs, record) // one of the two is set, see above
  }

  #meaningOf(key: Buffer): Meaning {
    if (key.length > MAX_TOPIC_BYTES)
      return refusal('bad_topic', `${key.length} bytes, at most ${MAX_TOPIC_BYTES} are read`)
    const name = key.toString('latin1')
    const refused = this.#refused.get(name)
    if (refused !== undefined) return refused
    const meaning = this.#interpret(key.toString('utf8'))
    if (meaning.series !== null || (meaning.drained !== null && this.#topics.size < this.#maxSeries)) {
      this.#topics.add(key)
      this.#meanings.push(meaning)
    } else {
      if (this.#refused.size >= MAX_REFUSED) this.#refused.clear()
      this.#refused.set(name, meaning)
    }
    return meaning
  }

  #interpret(text: string): Meaning {
    const topic = parseTopic(text)
    if (typeof topic === 'string') return refusal('bad_topic', topic)
    const { tags, metric } = topic
    if (tags.get(PLUGIN_TAG) === OWN_PLUGIN) return refusal('own_output', `plugin ${OWN_PLUGIN}`)
    const channel = tags.get(CHANNEL_TAG)
    if (channel !== DATA_CHANNEL) return refusal('not_data', `channel ${channel}`)
    const node = tags.get('node')
    if (node === undefined) return refusal('no_node', 'no node tag')
    const rack = tags.get('rack') ?? rackOfNode(node)
    const drained = tags.get(DRAINED_TAG)
    if (drained === '0' || drained === '1') {
      return {
        series: null,
        drained: { node, rack, muted: drained === '1' },
        reason: 'bad_topic',
        detail: '',
      }
    }
    const series = this.#newSeries(node, rack, metric)
    return series === null
      ? refusal('bad_topic', `more than ${this.#maxSeries} series`)
      : { series, drained: null, reason: 'bad_topic', detail: '' }
  }

  #newSeries(node: string, rack: string | null, sensor: string): Series | null {
    if (this.series.length >= this.#maxSeries) return null
    const series = { id: this.series.length, node, rack, sensor }
    this.series.push(series)
    return series
  }
}

function refusal(reason: DropReason, detail: string): Meaning {
  return { series: null, drained: null, reason, detail }
}

/** Bytes of a bad payload that go into a message. */
const EXCERPT_BYTES = 60

/** The start of a payload for a message, as JSON so that control characters show. */
export function excerpt(value: Buffer): string {
  return JSON.stringify(value.toString('utf8', 0, EXCERPT_BYTES))
}
