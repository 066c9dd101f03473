/**
 * Telegraf's `mqtt_consumer` (data format value, type string) behind its Kafka output (data format json):
 * `{"name": "mqtt_consumer", "fields": {"value": "21.4;1658832080.010"}, "tags": {"topic": "org/…", "host": "bridge01"}, …}`,
 * or a batch of them, `{"metrics": […]}`. `host` is the bridge's and `timestamp` that of arrival, so only topic and value count.
 */
import { isObject, type MqttMessage } from './message.ts'

/** The metrics of a batch, or null where the document is none. */
export function telegrafBatch(document: Record<string, unknown>): unknown[] | null {
  return Array.isArray(document.metrics) ? document.metrics : null
}

/**
 * The message within one metric; null where the document has not this form. A value that Telegraf has parsed to a number
 * has lost its time of measurement, and is told apart by `'parsed'`.
 */
export function telegrafMessage(document: Record<string, unknown>): MqttMessage | 'parsed' | null {
  const { fields, tags } = document
  if (!isObject(fields) || !isObject(tags) || typeof tags.topic !== 'string') return null
  if (typeof fields.value !== 'string') return 'parsed'
  return { topic: Buffer.from(tags.topic), payload: Buffer.from(fields.value) }
}
