/** An MQTT message as it was before somebody put it into a Kafka record. */
export interface MqttMessage {
  topic: Buffer
  /** ExaMon's `value;seconds`. */
  payload: Buffer
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
