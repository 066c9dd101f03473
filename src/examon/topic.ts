/**
 * ExaMon's MQTT topic: pairs of tag and value, among them `plugin` and `chnl`, then the metric name:
 * `org/cineca/cluster/marconi100/node/r206n05/plugin/ipmi_pub/chnl/data/ambient`.
 */
export interface Topic {
  /** Tags in the order of the topic, percent-decoded; of a repeated tag the last value. */
  tags: Map<string, string>
  metric: string
}

/** The tag that names the publisher, and the one that tells data from commands. Every topic has both. */
export const PLUGIN_TAG = 'plugin'
export const CHANNEL_TAG = 'chnl'
/** The only channel with samples; `cmd` carries orders to plugins. */
export const DATA_CHANNEL = 'data'
/** Detectors publish under this plugin; reading it would feed the daemon its own output. */
export const OWN_PLUGIN = 'examon-ai_pub'
/** Nagios' metrics say in this tag, 0 or 1, whether the node is drained. */
export const DRAINED_TAG = 'nagiosdrained'

/** Characters that a token can't hold on the wire: separator, MQTT wildcards, space, control, and the escape itself. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is to be escaped
const UNSAFE = /[/#+%\s\u0000-\u001f]/g

/** Runs of escapes are decoded together, since a UTF-8 character may take several. */
const ESCAPES = /(?:%[0-9A-Fa-f]{2})+/g

/** Decodes `%XX`; what is no complete escape stays as it is, bytes that are no UTF-8 become U+FFFD (as in Python). */
export function decodeToken(token: string): string {
  if (!token.includes('%')) return token
  return token.replace(ESCAPES, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'))
}

/** Encodes what must not stand in a topic level; the inverse of `decodeToken`. */
export function encodeToken(text: string): string {
  return text.replace(UNSAFE, encodeURIComponent)
}

/** Reads a topic; a string tells what is wrong with it. */
export function parseTopic(topic: string): Topic | string {
  const tokens = topic.split('/')
  if (tokens.length % 2 === 0)
    return `${tokens.length} levels, an odd number is needed (tag/value pairs, then the metric)`
  if (tokens.includes('')) return 'empty level'
  const tags = new Map<string, string>()
  for (let i = 0; i + 1 < tokens.length; i += 2) {
    tags.set(decodeToken(tokens[i] ?? ''), decodeToken(tokens[i + 1] ?? ''))
  }
  if (!tags.has(PLUGIN_TAG)) return `no ${PLUGIN_TAG} tag`
  if (!tags.has(CHANNEL_TAG)) return `no ${CHANNEL_TAG} tag`
  return { tags, metric: decodeToken(tokens[tokens.length - 1] ?? '') }
}

/** Writes a topic, every level encoded. Throws on an empty tag, value or metric, which no topic can carry. */
export function formatTopic(tags: Iterable<readonly [string, string]>, metric: string): string {
  const levels = [...tags].flat()
  levels.push(metric)
  if (levels.includes('')) throw new Error(`topic with an empty level: ${levels.join('/')}`)
  return levels.map(encodeToken).join('/')
}

/** What the tag for drained nodes says: true, drained; null where it is absent or says neither. */
export function drainedOf(tag: string | null | undefined): boolean | null {
  if (tag === '1') return true
  return tag === '0' ? false : null
}
