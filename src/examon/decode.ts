import type { SourceRecord } from '../sources/source.ts'
import { AvroSchemas, isDescribed } from './avro.ts'
import { connectPayload, withoutSchema } from './forms/connect.ts'
import { emqxMessage } from './forms/emqx.ts'
import { type Form, type FormOption, isDocument } from './forms/form.ts'
import { isGzip, unpack } from './forms/gzip.ts'
import { topicOfHeaders } from './forms/headers.ts'
import { topicOfStruct } from './forms/lenses.ts'
import { isObject } from './forms/message.ts'
import { telegrafBatch, telegrafMessage } from './forms/telegraf.ts'
import { JsonDecoder, looksLikeJson } from './json.ts'
import { isSyncBeat, type Reading, readPayload } from './payload.ts'
import type { SampleHandler, Series } from './sample.ts'
import { type Meaning, TopicTable } from './topic-table.ts'

export interface DecoderOptions {
  maxSeries?: number
  /** By default `auto`. */
  form?: FormOption | undefined
  /** Schemas of Avro keys and values. */
  schemas?: AvroSchemas | undefined
}

/**
 * Turns records into samples. In the reference form, key = MQTT topic and value `value;seconds`, a topic seen before costs
 * one look-up; the other forms stand in `forms/` and `json.ts`.
 */
export class Decoder {
  readonly #form: Form | null
  readonly #topics: TopicTable
  readonly #json: JsonDecoder
  readonly #reading: Reading = { value: 0, timeMs: 0 }
  /** Whether keys are looked up as they are, and values that look like JSON read as JSON. */
  readonly #plainKeys: boolean
  readonly #schemas: AvroSchemas
  readonly #documents: boolean

  constructor({ maxSeries, form = 'auto', schemas = new AvroSchemas() }: DecoderOptions = {}) {
    this.#schemas = schemas
    this.#topics = new TopicTable(maxSeries)
    this.#json = new JsonDecoder((...of) => this.#topics.add(...of))
    this.#form = form === 'auto' ? null : form
    this.#plainKeys = this.#reads('examon')
    this.#documents = this.#form === null || isDocument(this.#form)
  }

  /** Every series met so far, by id. */
  get series(): readonly Series[] {
    return this.#topics.series
  }

  /** Calls `handler` for each sample, drain notice or drop in `record`; a sync beat leads to no call. Never throws. */
  decode(record: SourceRecord, handler: SampleHandler): void {
    const { key, value } = record
    if (value === null || value.length === 0) {
      handler.drop('no_value', record, 'empty payload')
      return
    }
    if (isSyncBeat(value)) return
    if (isGzip(value)) {
      const content = unpack(value)
      if (typeof content === 'string') handler.drop('bad_gzip', record, content)
      else if (content.length === 0) handler.drop('no_value', record, 'empty payload, compressed')
      else this.#content(content, record, handler)
      return
    }
    if (isDescribed(value)) {
      this.#described(value, record, handler)
      return
    }
    const known = this.#plainKeys && key !== null && key.length > 0 ? this.#topics.find(key) : null
    if (known === null || looksLikeJson(value)) this.#content(value, record, handler)
    else this.#take(known, value, record, handler)
  }

  /** A value that a schema describes: the payload itself, or a structure of the forms that JSON has too. */
  #described(value: Buffer, record: SourceRecord, handler: SampleHandler): void {
    const content = this.#schemas.read(value)
    if ('problem' in content) handler.drop('bad_schema', record, content.problem)
    else if ('json' in content) this.#content(content.json, record, handler)
    else if (Buffer.isBuffer(content.value)) this.#payload(content.value, record, handler)
    else if (typeof content.value === 'string') this.#payload(Buffer.from(content.value), record, handler)
    else this.#structure(content.value, record, handler)
  }

  /** The payload as the bridge took it; Connect's converters describe even that. */
  #payload(payload: Buffer, record: SourceRecord, handler: SampleHandler): void {
    if (this.#form === 'connect') this.#message(this.#topicOf(record), payload, record, handler)
    else this.#content(payload, record, handler)
  }

  #reads(form: Form): boolean {
    return this.#form === null || this.#form === form
  }

  /** A value that the key alone does not explain. */
  #content(value: Buffer, record: SourceRecord, handler: SampleHandler): void {
    if (!this.#documents || !looksLikeJson(value)) {
      if (this.#form !== null && isDocument(this.#form)) this.#otherForm(record, handler)
      else this.#message(this.#topicOf(record), value, record, handler)
      return
    }
    let document: unknown
    try {
      document = JSON.parse(value.toString('utf8'))
    } catch (error) {
      handler.drop('bad_payload', record, (error as Error).message)
      return
    }
    this.#structure(document, record, handler)
  }

  /** A document, a list or a batch of them. */
  #structure(document: unknown, record: SourceRecord, handler: SampleHandler): void {
    if (!this.#documents) {
      this.#otherForm(record, handler)
      return
    }
    const batch = this.#reads('telegraf') && isObject(document) ? telegrafBatch(document) : null
    const items = batch ?? (Array.isArray(document) ? document : [document])
    for (const item of items) this.#document(item, record, handler)
  }

  #document(document: unknown, record: SourceRecord, handler: SampleHandler): void {
    const content = this.#reads('connect') ? withoutSchema(document) : document
    if (typeof content === 'string' && this.#reads('connect')) {
      const payload = connectPayload(content)
      if (payload === null)
        handler.drop('bad_payload', record, `neither base64 nor a sample: ${excerpt(Buffer.from(content))}`)
      else this.#message(this.#topicOf(record), payload, record, handler)
      return
    }
    if (!isObject(content)) {
      handler.drop('bad_payload', record, 'neither an object nor a list of objects')
      return
    }
    const message =
      (this.#reads('emqx') ? emqxMessage(content) : null) ??
      (this.#reads('telegraf') ? telegrafMessage(content) : null)
    if (message === 'parsed')
      handler.drop(
        'bad_time',
        record,
        'Telegraf has parsed the value and lost its time; its input needs data_format = "value" and data_type = "string"',
      )
    else if (message !== null) this.#message(message.topic, message.payload, record, handler)
    else if (this.#reads('json')) this.#json.take(content, record, handler)
    else this.#otherForm(record, handler)
  }

  #otherForm(record: SourceRecord, handler: SampleHandler): void {
    handler.drop('bad_payload', record, `not of the form ${this.#form}, the only one read (source.form)`)
  }

  /** An MQTT message, whatever it came in. */
  #message(topic: Buffer | null, payload: Buffer, record: SourceRecord, handler: SampleHandler): void {
    if (isSyncBeat(payload)) return
    if (topic === null) {
      handler.drop('no_topic', record, noTopic(this.#form, record.key))
      return
    }
    this.#take(this.#topics.meaningOf(topic), payload, record, handler)
  }

  #take(meaning: Meaning, value: Buffer, record: SourceRecord, handler: SampleHandler): void {
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
      handler.maintenance(node, rack, muted, reading.timeMs, record)
      return
    }
    if (reason !== null) {
      handler.drop(reason, record, excerpt(value))
      return
    }
    handler.sample(meaning.series as Series, reading.value, reading.timeMs, record) // one of the two is set, see above
  }

  /** The MQTT topic of a record: in a header, within a structured key, or the key itself; null where there is none. */
  #topicOf({ key, headers }: SourceRecord): Buffer | null {
    const carried = this.#reads('headers') ? topicOfHeaders(headers) : null
    if (carried !== null || this.#form === 'headers') return carried
    if (key === null || key.length === 0) return null
    if (isDescribed(key)) {
      const content = this.#schemas.read(key)
      return 'value' in content ? topicBytes(content.value) : null
    }
    if (key[0] !== QUOTE && key[0] !== BRACE) return this.#form === 'lenses' ? null : key
    if (this.#form === 'examon') return null
    try {
      return topicBytes(withoutSchema(JSON.parse(key.toString('utf8'))))
    } catch {
      return null
    }
  }
}

/** The topic of a parsed key: itself, or within a structure. */
function topicBytes(content: unknown): Buffer | null {
  const topic = isObject(content) && !Buffer.isBuffer(content) ? topicOfStruct(content) : content
  if (Buffer.isBuffer(topic)) return topic
  return typeof topic === 'string' && topic !== '' ? Buffer.from(topic) : null
}

const QUOTE = 0x22
const BRACE = 0x7b

/** Bytes of a bad key or payload that go into a message. */
const EXCERPT_BYTES = 60

function noTopic(form: Form | null, key: Buffer | null): string {
  const found = key === null ? 'none' : excerpt(key)
  if (form === 'headers') return `no header mqtt.topic (key ${found})`
  return `neither key nor header names the topic (key ${found})`
}

/** The start of a key or payload for a message, as JSON so that control characters show. */
export function excerpt(value: Buffer): string {
  return JSON.stringify(value.toString('utf8', 0, EXCERPT_BYTES))
}
