import { setTimeout as sleep } from 'node:timers/promises'
import { formatTopic } from '../examon/topic.ts'
import type { History } from '../history/types.ts'
import type { PartitionProgress, Source, SourceEvent, SourceRecord } from './source.ts'

export interface ReplayOptions {
  /** History that holds samples; the source closes it. */
  history: History
  /** Seconds of history a second, or as fast as the reader pulls. */
  speed: number | 'max'
}

/** Records of one event at most. */
const BATCH_RECORDS = 2000
const PARTITION = 0

type Batch = ReturnType<History['samples']> extends AsyncIterable<infer B> ? B : never

/**
 * History as the source of records in ExaMon's reference Kafka form: key = MQTT topic, value = `value;unix_seconds`.
 * One partition, no replay: `commit` has nothing to store. Rejects in `start` where the history holds no samples.
 */
export class ReplaySource implements Source {
  readonly kind = 'replay'
  /** Time of the newest sample that was handed on, ms since the epoch. */
  timeMs: number
  private readonly history: History
  private readonly speed: number | 'max'
  /** Topic of every (node, sensor), made when first needed. */
  private readonly topics: (Buffer | undefined)[]
  private readonly abort = new AbortController()
  private batches: AsyncIterator<Batch> | null = null
  /** The batch after the current one, on its way while that is handed on. */
  private coming: Promise<IteratorResult<Batch, unknown>> | null = null
  private batch: Batch | null = null
  private next = 0
  private ended = false
  private offset = 0
  private startedAt = 0
  private assigned = false

  constructor({ history, speed }: ReplayOptions) {
    if (speed !== 'max' && !(speed > 0)) throw new RangeError(`speed is "max" or above 0, not ${speed}`)
    this.history = history
    this.speed = speed
    this.timeMs = history.fromMs
    this.topics = new Array(history.nodes.length * history.sensors.length)
  }

  async start(): Promise<void> {
    this.batches = this.history.samples({ signal: this.abort.signal })[Symbol.asyncIterator]()
    this.fetch(this.batches)
    this.startedAt = performance.now()
  }

  async poll(timeoutMs: number): Promise<SourceEvent> {
    if (!this.assigned) {
      this.assigned = true
      return { kind: 'assigned', partitions: [PARTITION], isWhole: true }
    }
    const giveUp = performance.now() + timeoutMs
    for (;;) {
      if (this.ended) return { kind: 'end' }
      const left = giveUp - performance.now()
      if (!this.batch) {
        if (!(await this.advance(left))) return { kind: 'idle' }
        continue
      }
      const records = this.take(this.batch, this.reachedMs())
      if (records.length > 0) return { kind: 'records', records }
      if (left <= 0 || this.abort.signal.aborted) return { kind: 'idle' }
      // Only a bounded speed gets here. At least 1 ms, so that rounding does not spin.
      const due = ((this.batch.timeMs[this.next] ?? 0) - this.reachedMs()) / Number(this.speed)
      await this.wait(Math.min(left, Math.max(1, due)))
    }
  }

  progress(): PartitionProgress[] {
    return [{ partition: PARTITION, position: this.offset, end: this.offset }]
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {
    this.abort.abort()
    await this.coming?.catch(() => undefined)
    await this.batches?.return?.().catch(() => undefined)
    this.history.close()
  }

  private fetch(batches: AsyncIterator<Batch>): void {
    this.coming = batches.next()
    // Whoever takes the batch hears of a failure; until then it must not count as unhandled.
    this.coming.catch(() => undefined)
  }

  /** Takes the coming batch; false where it does not come within `timeoutMs`. */
  private async advance(timeoutMs: number): Promise<boolean> {
    const { batches, coming } = this
    if (!batches || !coming) throw new Error('replay source: poll before start')
    const timer = new AbortController()
    const timeout = sleep(Math.max(0, timeoutMs), null, { signal: timer.signal }).catch(() => null)
    const result = await Promise.race([coming, timeout])
    timer.abort()
    if (result === null) return false
    if (result.done) {
      this.ended = true
    } else {
      this.batch = result.value
      this.next = 0
      this.fetch(batches)
    }
    return true
  }

  private wait(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.abort.signal }).catch(() => undefined)
  }

  /** Time of history that the wall clock has reached. */
  private reachedMs(): number {
    if (this.speed === 'max') return Number.POSITIVE_INFINITY
    return this.history.fromMs + (performance.now() - this.startedAt) * this.speed
  }

  /** Records of the batch up to a time. */
  private take(batch: Batch, reachedMs: number): SourceRecord[] {
    const { nodes, sensors } = this.history
    const records: SourceRecord[] = []
    let i = this.next
    let stampMs = Number.NaN
    let stamp = ''
    for (; i < batch.count && records.length < BATCH_RECORDS; i++) {
      const timeMs = batch.timeMs[i]! // i < count
      if (timeMs > reachedMs) break
      // Neighbours mostly share their time.
      if (timeMs !== stampMs) {
        stampMs = timeMs
        stamp = `;${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`
      }
      const [node, sensor] = [batch.node[i]!, batch.sensor[i]!] // i < count
      const series = node * sensors.length + sensor
      let topic = this.topics[series]
      if (!topic) {
        topic = replayTopic(nodes[node]!, sensors[sensor]!) // a batch's indices are those of its history
        this.topics[series] = topic
      }
      records.push({
        key: topic,
        value: Buffer.from(batch.value[i]! + stamp, 'latin1'), // i < count
        partition: PARTITION,
        offset: this.offset++,
      })
      this.timeMs = timeMs
    }
    this.next = i
    if (i === batch.count) this.batch = null
    return records
  }
}

/** MQTT topic of a replayed series. */
export function replayTopic(node: string, sensor: string): Buffer {
  const tags = [
    ['org', 'replay'],
    ['cluster', 'replay'],
    ['node', node],
    ['plugin', 'replay_pub'],
    ['chnl', 'data'],
  ] as const
  return Buffer.from(formatTopic(tags, sensor))
}
