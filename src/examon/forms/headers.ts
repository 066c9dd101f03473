/**
 * Bridges that leave the key alone and put the MQTT topic into a header:
 * key null, header `mqtt.topic = org/…/ambient`, value `21.4;1658832080.010`.
 */
import type { RecordHeaders } from '../../sources/source.ts'

const TOPIC_HEADER = Buffer.from('mqtt.topic')

/** The topic of the header `mqtt.topic`, or null where there is none. */
export function topicOfHeaders(headers: RecordHeaders | undefined): Buffer | null {
  for (const [name, value] of headers ?? []) {
    if (name !== null && value !== null && value.length > 0 && TOPIC_HEADER.equals(name)) return value
  }
  return null
}
