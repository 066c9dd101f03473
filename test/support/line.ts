/** The steps of the line, for tests that compare live with history: train, evaluate, send to Kafka, read flags back. */
import { ListOffsetTimestamps } from '@platformatic/kafka'
import { bootstrap } from '../../src/bootstrap/bootstrap.ts'
import { kafkaTarget } from '../../src/cli/target.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { FlagRecord } from '../../src/detect/records.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { loadCatalogue } from '../../src/examon/catalogue.ts'
import { openHistory } from '../../src/history/history.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { Fetcher } from '../../src/sources/kafka-fetch.ts'
import { ReplaySource } from '../../src/sources/replay.ts'
import type { SourceRecord } from '../../src/sources/source.ts'
import { until, withAdmin } from './kafka.ts'

const QUIET = { step: () => ({ advance() {}, finish() {} }) }

/** Trains with the defaults and writes the bundle. */
export async function train(history: string[], catalogue: string | null, out: string): Promise<void> {
  const opened = await openHistory(history)
  try {
    const { training } = defaultConfig()
    const names = catalogue === null ? null : loadCatalogue(catalogue)
    await bootstrap({ history: opened, catalogue: names, training, out, progress: QUIET })
  } finally {
    opened.close()
  }
}

/** What names a window of a node. */
export function windowOf({ node, window_start }: Pick<FlagRecord, 'node' | 'window_start'>): string {
  return `${node} ${window_start}`
}

/** The flags that `evaluate` makes of history, by window. */
export async function flagsOfHistory(model: string, history: string[]): Promise<Map<string, FlagRecord>> {
  const opened = await openHistory(history)
  try {
    const flags = new Map<string, FlagRecord>()
    await evaluate(openBundle(model), opened, detectorOptions(defaultConfig().detect), {
      onFlag: (flag) => flags.set(windowOf(flag), flag),
    })
    return flags
  } finally {
    opened.close()
  }
}

/** Writes the records of a history to Kafka as `replay --to kafka --speed max` does; those up to `untilMs` are one part. */
export async function replayToKafka(history: string[], bootstrap: string, topic: string) {
  const source = new ReplaySource({ history: await openHistory(history), speed: 'max' })
  await source.start()
  const target = await kafkaTarget({ brokers: [bootstrap], topic, keyed: 'node', clientId: 'test-replay' })
  const { signal } = new AbortController()
  let sent = 0
  return {
    /** Sends until the history's time has come that far, or to its end; the number of records sent so far. */
    async sendTo(timeMs: number): Promise<number> {
      while (source.timeMs < timeMs) {
        const event = await source.poll(1000)
        if (event.kind === 'end') break
        if (event.kind !== 'records') continue
        await target.send(event.records, signal)
        sent += event.records.length
      }
      return sent
    },
    async close(): Promise<void> {
      await target.close()
      await source.close()
    },
  }
}

/** Records in each partition of a topic, 0 for one that does not exist yet. */
export function recordsIn(bootstrap: string, topic: string): Promise<number[]> {
  return withAdmin(bootstrap, async (admin) => {
    if (!(await admin.listTopics()).includes(topic)) return [0]
    const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
    const count = metadata.topics.get(topic)?.partitionsCount ?? 0
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp: ListOffsetTimestamps.LATEST,
    }))
    const [offsets] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
    // The answer is in no particular order.
    const sorted = (offsets?.partitions ?? []).toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    return sorted.map(({ offset }) => Number(offset))
  })
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** Every committed flag in a topic, in the order of each partition, transactions under way waited for; or every flag. */
export async function readFlags(
  bootstrap: string,
  topic: string,
  committedOnly = true,
): Promise<FlagRecord[]> {
  const records = await readCommitted(bootstrap, topic, committedOnly)
  return records.map(({ value }) => JSON.parse(String(value)) as FlagRecord)
}

/** The same as records, whatever their form. */
export async function readCommitted(
  bootstrap: string,
  topic: string,
  committedOnly = true,
): Promise<SourceRecord[]> {
  const ends = await recordsIn(bootstrap, topic)
  if (sum(ends) === 0) return []
  const fetcher = new Fetcher(
    {
      brokers: [bootstrap],
      brokersKey: 'test',
      clientId: 'test',
      topics: [topic],
      group: 'test',
      committedOnly,
    },
    () => {},
    () => {},
  )
  try {
    const parts = ends.map((end, partition) => ({
      id: partition,
      topic,
      partition,
      fetchFrom: 0,
      position: 0,
      end,
    }))
    fetcher.assign(parts)
    const records: SourceRecord[] = []
    await until(() => {
      fetcher.pump()
      records.push(...fetcher.take(Number.MAX_SAFE_INTEGER))
      return parts.every((part, i) => fetcher.isReadTo(part, ends[i] as number))
    }, `${topic} is read to its end`)
    return records
  } finally {
    await fetcher.close()
  }
}

/** Number of flags committed to a topic. */
export async function flagsIn(bootstrap: string, topic: string): Promise<number> {
  return (await readFlags(bootstrap, topic)).length
}
