import type { MqttClient } from 'mqtt'
import type { FlagRecord } from '../detect/records.ts'
import { CHANNEL_TAG, DATA_CHANNEL, formatTopic, OWN_PLUGIN, PLUGIN_TAG } from '../examon/topic.ts'
import { connected, type MqttAddress, mqttClient } from '../sources/mqtt-client.ts'
import type { Sink } from './sink.ts'

export interface MqttSinkOptions extends MqttAddress {
  /** First levels of every topic, pairs of tag and value; empty for none. */
  prefix: string
  /** Only flags of anomalous windows. */
  anomalousOnly: boolean
}

/** Metrics of a scored window: its score, 1 where the threshold is, and whether its node is in the state `anomalous`. */
const SCORE_METRIC = 'dec_score'
const ANOMALOUS_METRIC = 'dec_anomalous'
/** At least once: a repeated point of a series is the same point. */
const QOS = 1
/** Messages that wait for their acknowledgement at once; brokers hold back, or drop, what is beyond their own limit. */
const AT_ONCE = 100

/**
 * Scores in ExaMon's own form on its own bus, `…/plugin/examon-ai_pub/chnl/data/dec_score` with `score;seconds`, from where the
 * site's bridge brings them into its time series. The time is the window's end. Windows that were not scored have no point.
 */
export class MqttSink implements Sink {
  readonly kind = 'mqtt'
  readonly #options: MqttSinkOptions
  #client: MqttClient | null = null

  constructor(options: MqttSinkOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const client = mqttClient(this.#options, { clean: true })
    this.#client = client
    await connected(client, this.#options)
  }

  async write(flags: readonly FlagRecord[]): Promise<void> {
    const client = this.#client
    if (client === null) throw new Error('write before start')
    const { anomalousOnly, url } = this.#options
    // A message that waits within the client would be sent once more by the next attempt.
    if (!client.connected) throw new Error(`no connection to the MQTT broker ${url}`)
    const messages = flags
      .filter((flag) => !anomalousOnly || flag.anomalous)
      .flatMap((flag) => messagesOf(flag, this.#options.prefix))
    for (let first = 0; first < messages.length; first += AT_ONCE) {
      const part = messages.slice(first, first + AT_ONCE)
      await Promise.all(part.map(([topic, payload]) => client.publishAsync(topic, payload, { qos: QOS })))
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = null
    await client?.endAsync(true)
  }
}

/** Topic and payload of each metric of a flag. */
export function messagesOf(flag: FlagRecord, prefix: string): [topic: string, payload: string][] {
  if (flag.score === null) return []
  const tags = [
    ['node', flag.node] as const,
    ...(flag.rack === null ? [] : [['rack', flag.rack] as const]),
    [PLUGIN_TAG, OWN_PLUGIN] as const,
    [CHANNEL_TAG, DATA_CHANNEL] as const,
  ]
  const topicOf = (metric: string): string =>
    `${prefix === '' ? '' : `${prefix}/`}${formatTopic(tags, metric)}`
  const seconds = (Date.parse(flag.window_end) / 1000).toFixed(3)
  return [
    [topicOf(SCORE_METRIC), `${flag.score};${seconds}`],
    [topicOf(ANOMALOUS_METRIC), `${flag.state === 'anomalous' ? 1 : 0};${seconds}`],
  ]
}
