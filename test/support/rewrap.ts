import { gzipSync } from 'node:zlib'
import type { Form } from '../../src/examon/forms/form.ts'
import { parseTopic } from '../../src/examon/topic.ts'
import type { SourceRecord } from '../../src/sources/source.ts'

/** One in so many payloads of the reference form is compressed; unpacking a single sample costs as much as reading fifty. */
const COMPRESSED_EVERY = 50

/** A record of the reference form as another bridge would have written it. */
export function rewrap(record: SourceRecord, form: Form): SourceRecord {
  const { partition, offset } = record
  const [topic, payload] = [String(record.key), String(record.value)]
  const as = (key: unknown, value: unknown, headers: Record<string, string> = {}): SourceRecord => ({
    key: key === null ? null : Buffer.from(typeof key === 'string' ? key : JSON.stringify(key)),
    value: Buffer.isBuffer(value)
      ? value
      : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    headers: Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
    partition,
    offset,
  })
  switch (form) {
    case 'examon':
      return as(topic, offset % COMPRESSED_EVERY === 0 ? gzipSync(payload) : payload, { 'mqtt.qos': '0' })
    case 'headers':
      return as(null, payload, { 'mqtt.qos': '0', 'mqtt.topic': topic })
    case 'lenses':
      return as({ topic, id: String(offset) }, payload)
    case 'connect':
      return as(JSON.stringify(topic), JSON.stringify(Buffer.from(payload).toString('base64')))
    case 'emqx':
      return as('client', { event: 'message.publish', topic, payload, node: 'emqx@10.0.0.1', timestamp: 1 })
    case 'telegraf':
      return as(null, {
        metrics: [
          {
            name: 'mqtt_consumer',
            fields: { value: payload },
            tags: { topic, host: 'bridge01' },
            timestamp: 1,
          },
        ],
      })
    case 'json': {
      const { tags, metric } = parseTopic(topic) as Exclude<ReturnType<typeof parseTopic>, string>
      const [value, seconds = ''] = payload.split(';')
      const datapoints = [[String(Math.round(1000 * Number(seconds))), value]]
      return as(null, [{ name: metric, tags: Object.fromEntries(tags), datapoints }])
    }
  }
}
