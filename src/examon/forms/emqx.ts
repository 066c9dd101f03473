/**
 * EMQX' Kafka action with its default templates: the value is the whole context of the rule as JSON,
 * `{"event": "message.publish", "topic": "org/…/ambient", "payload": "21.4;1658832080.010", "node": "emqx@10.0.0.1", …}`.
 * `node` and `timestamp` there are the broker's, so only topic and payload count.
 */
import type { MqttMessage } from './message.ts'

/** The message within, or null where the document has not this form. */
export function emqxMessage(document: Record<string, unknown>): MqttMessage | null {
  const { topic, payload } = document
  if (typeof topic !== 'string' || typeof payload !== 'string') return null
  return { topic: Buffer.from(topic), payload: Buffer.from(payload) }
}
