/**
 * Lenses Stream Reactor (Aiven's MQTT source): the key is a structure, as JSON `{"topic": "org/…/ambient", "id": "7"}`;
 * the value is the raw payload.
 */

/** The topic within a parsed key, or null where it is no such structure. */
export function topicOfStruct(key: Record<string, unknown>): string | null {
  return typeof key.topic === 'string' && key.topic !== '' ? key.topic : null
}
