import { KeyTable } from './key-table.ts'
import { rackOfNode } from './node-name.ts'
import type { DropReason, Series } from './sample.ts'
import {
  CHANNEL_TAG,
  DATA_CHANNEL,
  DRAINED_TAG,
  drainedOf,
  OWN_PLUGIN,
  PLUGIN_TAG,
  parseTopic,
} from './topic.ts'

/** Streams of a Marconi-100 (980 nodes × about 700 metrics) and half as many again, in about 400 MB at worst. */
const DEFAULT_MAX_SERIES = 1_048_576
/** So many refused topics are remembered, then all are forgotten: a flood of bad keys costs time, not memory. */
const MAX_REFUSED = 65_536
/** Real topics stay below 300 bytes; MQTT would allow 65,535, of which a million would not fit into memory. */
const MAX_TOPIC_BYTES = 1024

/** What a topic means, worked out once: a series, or whether its node is drained, or why nothing can be made of it. */
export interface Meaning {
  series: Series | null
  drained: { node: string; rack: string | null; muted: boolean } | null
  reason: DropReason
  detail: string
}

/** Every topic met so far and what it means, and every series. */
export class TopicTable {
  /** By id. */
  readonly series: Series[] = []
  readonly #maxSeries: number
  /** Topics that mean something, and what each means. */
  readonly #known = new KeyTable()
  readonly #meanings: Meaning[] = []
  readonly #refused = new Map<string, Meaning>()

  constructor(maxSeries = DEFAULT_MAX_SERIES) {
    this.#maxSeries = maxSeries
  }

  /** What a topic that was met before means; null also for one that was refused. */
  find(topic: Buffer): Meaning | null {
    const id = this.#known.find(topic)
    return id < 0 ? null : (this.#meanings[id] as Meaning) // one a known topic
  }

  /** What any topic means. */
  meaningOf(topic: Buffer): Meaning {
    const known = this.find(topic)
    if (known !== null) return known
    if (topic.length > MAX_TOPIC_BYTES)
      return refusal('bad_topic', `${topic.length} bytes, at most ${MAX_TOPIC_BYTES} are read`)
    const name = topic.toString('latin1')
    const refused = this.#refused.get(name)
    if (refused !== undefined) return refused
    const meaning = this.#interpret(topic.toString('utf8'))
    if (meaning.series !== null || (meaning.drained !== null && this.#known.size < this.#maxSeries)) {
      this.#known.add(topic)
      this.#meanings.push(meaning)
    } else {
      if (this.#refused.size >= MAX_REFUSED) this.#refused.clear()
      this.#refused.set(name, meaning)
    }
    return meaning
  }

  /** A new series, or null where there are too many. */
  add(node: string, rack: string | null, sensor: string): Series | null {
    if (this.series.length >= this.#maxSeries) return null
    const series = { id: this.series.length, node, rack, sensor }
    this.series.push(series)
    return series
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
    const muted = drainedOf(tags.get(DRAINED_TAG))
    if (muted !== null)
      return { series: null, drained: { node, rack, muted }, reason: 'bad_topic', detail: '' }
    const series = this.add(node, rack, metric)
    return series === null
      ? refusal('bad_topic', `more than ${this.#maxSeries} series`)
      : { series, drained: null, reason: 'bad_topic', detail: '' }
  }
}

function refusal(reason: DropReason, detail: string): Meaning {
  return { series: null, drained: null, reason, detail }
}
