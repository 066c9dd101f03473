import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from '../simulator/machine.ts'
import { SENSORS } from '../simulator/sensors.ts'
import { checkTopic, gangliaTopic, sensorTopic } from '../simulator/topics.ts'
import type { PartitionProgress, Source, SourceEvent, SourceRecord } from './source.ts'

export interface SimulatorOptions {
  machine: Machine
  /** Simulated seconds a second, or as fast as the reader pulls. */
  speed: number | 'max'
  /** Simulated time of the event `end`, ms since the epoch; never where absent. */
  endMs?: number
}

/** About so many records make one event. */
const BATCH_RECORDS = 2000
const SAMPLES_PER_NODE_AND_TICK = 105
const TICK_MS = 20_000
const PARTITION = 0

/** What Ganglia also reports and no model reads: texts and near constants (ExaData documentation). */
const HOST_FACTS: readonly (readonly [name: string, value: string])[] = [
  ['cpu_aidle', '71.5'],
  ['disk_total', '1800.000'],
  ['gexec', 'OFF'],
  ['machine_type', 'ppc64le'],
  ['os_name', 'Linux'],
  ['os_release', '4.14.0-115.21.2.el7a.ppc64le'],
]

/**
 * A simulated machine as the source of records in ExaMon's reference Kafka form: key = MQTT topic,
 * value = `value;unix_seconds`. One partition, no replay: `commit` has nothing to store.
 */
export class SimulatorSource implements Source {
  readonly kind = 'simulator'
  private readonly machine: Machine
  private readonly speed: number | 'max'
  private readonly endMs: number
  /** Simulated time that one event spans at most. */
  private readonly sliceMs: number
  /** Topic of every (node, sensor), made when first needed. */
  private readonly topics: (Buffer | undefined)[]
  private readonly checks: (readonly [Buffer, Buffer])[]
  private readonly facts: (readonly [Buffer, string])[][]
  private readonly abort = new AbortController()
  /** Simulated time at which this source takes the machine over, ms. */
  private readonly originMs: number
  private atMs: number
  private startedAt = 0
  private offset = 0
  private assigned = false

  constructor(options: SimulatorOptions) {
    const { machine, speed } = options
    if (speed !== 'max' && !(speed > 0)) throw new RangeError(`speed is "max" or above 0, not ${speed}`)
    this.machine = machine
    this.speed = speed
    this.endMs = options.endMs ?? Number.POSITIVE_INFINITY
    this.originMs = machine.timeMs
    this.atMs = this.originMs
    const perTick = machine.nodes.length * SAMPLES_PER_NODE_AND_TICK
    this.sliceMs = Math.max(10, Math.round((TICK_MS * BATCH_RECORDS) / perTick))
    this.topics = new Array(machine.nodes.length * SENSORS.length)
    this.checks = machine.nodes.map((n) => [
      Buffer.from(checkTopic(n, false)),
      Buffer.from(checkTopic(n, true)),
    ])
    this.facts = machine.nodes.map((n) =>
      HOST_FACTS.map(([name, value]) => [Buffer.from(gangliaTopic(n, name)), value] as const),
    )
  }

  async start(): Promise<void> {
    this.startedAt = performance.now()
  }

  async poll(timeoutMs: number): Promise<SourceEvent> {
    if (!this.assigned) {
      this.assigned = true
      return { kind: 'assigned', partitions: [PARTITION], isWhole: true }
    }
    const giveUp = performance.now() + timeoutMs
    for (;;) {
      if (this.atMs >= this.endMs) return { kind: 'end' }
      const toMs = Math.min(this.atMs + this.sliceMs, this.endMs)
      const reached = this.speed === 'max' ? toMs : Math.min(toMs, this.simulatedNow())
      if (reached > this.atMs) {
        const records = this.take(reached)
        if (records.length > 0) return { kind: 'records', records }
      }
      if (this.speed === 'max') continue
      const left = giveUp - performance.now()
      if (left <= 0 || this.abort.signal.aborted) return { kind: 'idle' }
      // Wake when about one slice is due, so that slow speeds do not spin and fast ones make full batches.
      const due = (toMs - this.simulatedNow()) / this.speed
      if (due > 0)
        await sleep(Math.min(left, due), undefined, { signal: this.abort.signal }).catch(() => undefined)
    }
  }

  progress(): PartitionProgress[] {
    return [{ partition: PARTITION, position: this.offset, end: this.offset }]
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {
    this.abort.abort()
  }

  /** Simulated time that the wall clock has reached. */
  private simulatedNow(): number {
    const speed = this.speed === 'max' ? Number.POSITIVE_INFINITY : this.speed
    return this.originMs + Math.floor((performance.now() - this.startedAt) * speed)
  }

  private take(toMs: number): SourceRecord[] {
    const { machine, topics } = this
    const records: SourceRecord[] = []
    let offset = this.offset
    let stampMs = Number.NaN
    let stamp = ''
    const push = (key: Buffer, value: string | number, timeMs: number): void => {
      // All samples of one read share their time.
      if (timeMs !== stampMs) {
        stampMs = timeMs
        stamp = `;${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`
      }
      records.push({
        key,
        value: Buffer.from(value + stamp, 'latin1'),
        partition: PARTITION,
        offset: offset++,
      })
    }
    machine.advance(
      toMs,
      (node, sensor, value, timeMs) => {
        const series = node * SENSORS.length + sensor
        let topic = topics[series]
        if (!topic) {
          // Both indices come from the machine itself.
          topic = Buffer.from(sensorTopic(machine.nodes[node]!, SENSORS[sensor]!))
          topics[series] = topic
        }
        push(topic, value, timeMs)
      },
      (node, state, drained, timeMs) => {
        push(this.checks[node]![drained ? 1 : 0], state, timeMs)
        for (const [topic, value] of this.facts[node]!) push(topic, value, timeMs)
      },
    )
    this.atMs = toMs
    this.offset = offset
    return records
  }
}
