/** What the Kafka tests share: topics of their own, raw records in, and a reader that is not the code under test. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import type { RecordHeaders, Source, SourceRecord } from '../../src/sources/source.ts'
import { kafkaLibraries } from './broker.ts'

const run = promisify(execFile)
let names = 0

/** A topic or group name that no other test uses, also on a broker that outlives this process. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${names++}`
}

export async function withAdmin<T>(bootstrap: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({
    clientId: 'test-admin',
    bootstrapBrokers: [bootstrap],
    retries: 10,
    retryDelay: 200,
  })
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

export async function createTopic(bootstrap: string, partitions: number): Promise<string> {
  const topic = uniqueName('test')
  await withAdmin(bootstrap, (admin) => admin.createTopics({ topics: [topic], partitions, replicas: 1 }))
  return topic
}

export interface RawRecord {
  partition: number
  key: Buffer | null
  value: Buffer | null
  headers?: RecordHeaders | undefined
}

/** Writes records as they are, all of one call and partition in one batch. */
export async function produceRaw(
  bootstrap: string,
  topic: string,
  records: RawRecord[],
  compression: 'none' | 'gzip' | 'lz4' | 'zstd' | 'snappy' = 'none',
): Promise<void> {
  const producer = new Producer({
    clientId: 'test-producer',
    bootstrapBrokers: [bootstrap],
    retries: 10,
    retryDelay: 200,
    compression,
  })
  try {
    await producer.send({
      messages: records.map(({ partition, key, value, headers = [] }) => ({
        topic,
        partition,
        key: key as Buffer, // null is valid on the wire
        value: value as Buffer,
        headers: new Map(headers as [Buffer, Buffer][]), // likewise
      })),
      acks: -1,
    })
  } finally {
    await producer.close()
  }
}

/** Reads `count` records with Kafka's own console consumer: `[partition, key, value]`, as text. */
export async function consoleRead(
  bootstrap: string,
  topic: string,
  count: number,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
): Promise<[number, string, string][]> {
  const show = ['print.key', 'print.partition'].flatMap((name) => ['--formatter-property', `${name}=true`])
  const limits = ['--from-beginning', '--max-messages', String(count), '--timeout-ms', '20000']
  const tool = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
  const { stdout } = await run(
    'java',
    [
      '-Xmx256m',
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '-cp',
      `${await kafkaLibraries()}/*`,
      tool,
      '--bootstrap-server',
      bootstrap,
      '--topic',
      topic,
      ...show,
      '--isolation-level',
      isolation,
      ...limits,
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  )
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('Partition:'))
    .map((line) => {
      const [partition = '', key = '', value = ''] = line.split('\t')
      return [Number(partition.slice('Partition:'.length)), key, value]
    })
}

/** The same by the client library's message stream, which nothing under test uses; starts faster. */
export async function streamRead(
  bootstrap: string,
  topic: string,
  count: number,
): Promise<[number, string, string][]> {
  const consumer = new Consumer({
    clientId: 'test-reader',
    groupId: uniqueName('reader'),
    bootstrapBrokers: [bootstrap],
  })
  const read: [number, string, string][] = []
  try {
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'earliest',
      autocommit: false,
      maxWaitTime: 100,
    })
    for await (const { partition, key, value } of stream) {
      read.push([partition, String(key), String(value)])
      if (read.length === count) break
    }
  } finally {
    await consumer.close(true)
  }
  return read
}

/** Generous, since it only bounds how long a broken test hangs. */
const PATIENCE_MS = 30_000

/** Polls until `done` says so; fails with what was seen when that takes too long. */
export async function pollUntil(source: Source, done: (seen: Seen) => boolean): Promise<Seen> {
  const seen: Seen = { records: [], assignments: [] }
  const deadline = Date.now() + PATIENCE_MS
  while (!done(seen)) {
    if (Date.now() > deadline) {
      throw new Error(
        `still waiting after ${seen.records.length} records and ${seen.assignments.length} assignments`,
      )
    }
    const event = await source.poll(100)
    if (event.kind === 'records') seen.records.push(...event.records)
    if (event.kind === 'assigned') seen.assignments.push(event.partitions)
  }
  return seen
}

export interface Seen {
  records: SourceRecord[]
  assignments: number[][]
}

/** Waits for a condition. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
