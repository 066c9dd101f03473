/** Where the messages of `simulate` and `replay` go. */
import { once } from 'node:events'
import { parseTopic } from '../examon/topic.ts'
import type { SourceRecord } from '../sources/source.ts'
import { UsageError } from './errors.ts'

export interface Target {
  /** Resolves when the records are written or acknowledged; false when nobody wants more. */
  send(records: readonly SourceRecord[], signal: AbortSignal): Promise<boolean>
  close(): Promise<void>
}

export interface KafkaTarget {
  brokers: string[] | undefined
  topic: string
  /** What chooses the partition. */
  keyed: 'topic' | 'node'
  clientId: string
}

/** One `topic<TAB>payload` a line. */
export function stdoutTarget(): Target {
  const { stdout } = process
  // The reader may go away first (`| head`); that is no failure.
  const ignore = (): void => {}
  stdout.on('error', ignore)
  return {
    async send(records, signal) {
      const lines = records.map(({ key, value }) => `${key}\t${value}\n`).join('')
      if (!stdout.write(lines)) await once(stdout, 'drain', { signal }).catch(ignore)
      return stdout.errored === null
    },
    async close() {},
  }
}

/** Rejects with UsageError without brokers, and where no broker answers or the topic does not exist. */
export async function kafkaTarget({ brokers, topic, keyed, clientId }: KafkaTarget): Promise<Target> {
  if (!brokers) throw new UsageError('--to kafka needs --brokers host:port')
  // Loaded here, for it brings the Kafka client with it.
  const { openRecordProducer } = await import('../sinks/producer.ts')
  const producer = await openRecordProducer({ brokers, topic, keyed, clientId })
  // A source hands out one key object a series.
  const nodeOfKey = new Map<Buffer, string>()
  return {
    async send(records) {
      await producer.send(
        records.flatMap(({ key, value }) => {
          if (!key || !value) return []
          let node = nodeOfKey.get(key)
          if (node === undefined) {
            const topic = parseTopic(`${key}`)
            node = typeof topic === 'string' ? '' : (topic.tags.get('node') ?? '')
            nodeOfKey.set(key, node)
          }
          return [{ key, value, node }]
        }),
      )
      return true
    },
    close: () => producer.close(),
  }
}
