/** How an MQTT message, or a sample, may be wrapped in a Kafka record. Each but the first is read by the file of its name. */
export const FORMS = [
  'examon', // key = MQTT topic, value = `value;seconds`: the reference form
  'headers', // MQTT topic in the header `mqtt.topic`
  'lenses', // MQTT topic in a structured key
  'connect', // Kafka Connect's JsonConverter: text as key, base64 as value
  'emqx', // the whole context of an EMQX rule as JSON
  'telegraf', // Telegraf's metrics as JSON
  'json', // samples as JSON, ExaMon's own and others'; read in json.ts
] as const
export type Form = (typeof FORMS)[number]
/** The only form that is read; `auto` tells forms apart by content, record by record. */
export type FormOption = Form | 'auto'

/** Forms whose value is JSON; in the others it is the payload itself. */
const DOCUMENTS: ReadonlySet<Form> = new Set<Form>(['connect', 'emqx', 'telegraf', 'json'])

export function isDocument(form: Form): boolean {
  return DOCUMENTS.has(form)
}
