/**
 * Kafka Connect's MQTT source with its JsonConverter: key `"org/…/ambient"`, value the payload's bytes as base64,
 * `"MjEuNDsxNjU4ODMyMDgwLjAxMA=="`; with schemas enabled each within `{"schema": {"type": "bytes"}, "payload": …}`.
 */
import { isObject } from './message.ts'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Content of a converted key or value: what stands beside its schema, or all where there is none. */
export function withoutSchema(document: unknown): unknown {
  return isObject(document) && isObject(document.schema) && 'payload' in document
    ? document.payload
    : document
}

/**
 * The payload of a converted value; null where the text is neither base64 nor, from a converter of strings, the payload
 * itself, which holds a `;` that base64 has not.
 */
export function connectPayload(text: string): Buffer | null {
  if (text.includes(';')) return Buffer.from(text)
  return text !== '' && BASE64.test(text) ? Buffer.from(text, 'base64') : null
}
