import { Detector, type DetectorOptions } from '../detect/detector.ts'
import type { AlarmRecord, FlagRecord } from '../detect/records.ts'
import type { AvroSchemas } from '../examon/avro.ts'
import { Decoder } from '../examon/decode.ts'
import type { FormOption } from '../examon/forms/form.ts'
import type { SampleHandler } from '../examon/sample.ts'
import type { Bundle } from '../model/bundle.ts'
import { SCORE_ROWS, type Scorer } from '../model/scorer.ts'
import type { SourceRecord } from '../sources/source.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { Assembler, type ClosedWindow } from '../windows/assembler.ts'
import { coverage } from '../windows/coverage.ts'
import { featureCount } from '../windows/schema.ts'
import { MuteQueue } from './mute-queue.ts'
import type { StoredState } from './node-state.ts'

export interface PipelineOptions extends DetectorOptions {
  /** Samples further ahead of the clock are dropped, ms. */
  futureSkewMs: number
  /** How far a sample may lie behind the newest of its partition and still count for a window that has ended, ms. */
  latenessMs: number
  /** A node without samples for this long is forgotten, ms. */
  forgetAfterMs: number
  /** Whether no other member reads beside this one. */
  isWhole: boolean
  /** How records carry samples; by default told by content. */
  form?: FormOption | undefined
  /** Schemas of Avro records. */
  schemas?: AvroSchemas | undefined
}

/** What a turn of the pipeline brings out. */
export interface Emission {
  flags: FlagRecord[]
  alarms: AlarmRecord[]
  /** Nodes whose state changed; null for those that are gone for good. */
  states: Map<string, StoredState | null>
  /** Nodes that are gone for good. */
  forgotten: string[]
}

/** A node's window to be flagged: row of the block, and whether it holds enough to be scored. */
interface Row {
  row: number
  coverage: number
  scorable: boolean
}

/**
 * Records → samples → windows → scores → flags and alarms, for one assignment of partitions. No I/O but the model:
 * the same records in the same order give the same emissions.
 */
export class Pipeline {
  private bundle: Bundle
  private scorer: Scorer
  private readonly telemetry: Telemetry
  private options: PipelineOptions
  private readonly decoder: Decoder
  private readonly assembler: Assembler
  private detector: Detector
  /** Row of the scaler by node; 0 is for nodes unknown to the model. */
  private readonly scalerRow = new Map<string, number>()
  private readonly racks = new Map<string, string>()
  /** Partition that the samples of a node come from. */
  private readonly partitions = new Map<string, number>()
  /** The same, of this assignment's samples alone: a restored state may name a partition of old. */
  private readonly heard = new Map<string, number>()
  /** Nodes whose samples come from several partitions. */
  private readonly spread = new Set<string>()
  private readonly muted = new Set<string>()
  private readonly handler: SampleHandler
  private readonly observe: (partition: number, timeMs: number) => number
  /** Changes of `muted` that no window's end has reached yet. */
  private readonly mutes = new MuteQueue()
  private nowMs = 0
  private taken = 0

  /** `observe` is told the time of every sample, for the watermark, and answers with the newest of the partition. */
  constructor(
    bundle: Bundle,
    scorer: Scorer,
    telemetry: Telemetry,
    options: PipelineOptions,
    observe: (partition: number, timeMs: number) => number,
  ) {
    this.bundle = bundle
    this.scorer = scorer
    this.telemetry = telemetry
    this.options = options
    this.observe = observe
    this.decoder = new Decoder({ form: options.form, schemas: options.schemas })
    this.assembler = new Assembler(bundle.manifest.schema)
    this.detector = new Detector(bundle, options)
    this.numberScalers()
    this.handler = this.sampleHandler()
  }

  /** Another model of the same schema, and other settings, from the next window on. Open windows and alarms stay. */
  replaceModel(bundle: Bundle, scorer: Scorer, detect: DetectorOptions): void {
    this.bundle = bundle
    this.scorer = scorer
    this.options = { ...this.options, ...detect }
    this.detector = this.detector.withModel(bundle, this.options)
    this.numberScalers()
  }

  private numberScalers(): void {
    this.scalerRow.clear()
    for (const [i, node] of this.bundle.manifest.scaler.nodes.entries()) this.scalerRow.set(node, i + 1)
  }

  /** Takes up where an earlier run stopped. Nodes of other partitions are left to whoever reads those. */
  restore(states: ReadonlyMap<string, StoredState>, partitions: readonly number[]): void {
    for (const [node, { partition, boot = null, ...state }] of states) {
      if (!partitions.includes(partition)) continue
      this.detector.import(node, state)
      this.partitions.set(node, partition)
      if (state.rack !== null) this.racks.set(node, state.rack)
      if (state.muted) this.muted.add(node)
      this.assembler.addNode(node, boot)
    }
  }

  /** Decodes records into open windows. */
  ingest(records: readonly SourceRecord[], nowMs: number): void {
    this.nowMs = nowMs
    this.taken = 0
    for (const record of records) this.decoder.decode(record, this.handler)
    this.telemetry.recordsRead(records.length)
    this.telemetry.samplesTaken(this.taken)
  }

  /** Closes and scores every window that ends at or before `toMs`. */
  async close(toMs: number): Promise<Emission> {
    const emission: Emission = { flags: [], alarms: [], states: new Map(), forgotten: [] }
    const forgotten = new Set<string>()
    for (const window of this.assembler.close(toMs)) {
      for (const { node, muted } of this.mutes.until(window.endMs)) {
        if (muted) this.muted.add(node)
        else this.muted.delete(node)
      }
      await this.flagWindow(window, emission)
      for (const node of this.detector.forget(window.endMs - this.options.forgetAfterMs)) {
        this.racks.delete(node)
        this.muted.delete(node)
        this.partitions.delete(node)
        this.heard.delete(node)
        this.spread.delete(node)
        forgotten.add(node)
      }
    }
    for (const { node } of emission.flags) {
      const state = this.detector.export(node)
      const partition = this.partitions.get(node)
      if (state !== null && partition !== undefined)
        emission.states.set(node, { ...state, partition, boot: this.assembler.bootOf(node) })
    }
    emission.forgotten = [...forgotten].filter((node) => !this.detector.knows(node))
    for (const node of emission.forgotten) emission.states.set(node, null)
    return emission
  }

  /** By partition, the lowest offset that an open window still needs. */
  neededOffsets(): Map<number, number> {
    return this.mutes.addOffsets(this.assembler.neededOffsets())
  }

  private sampleHandler(): SampleHandler {
    return {
      sample: (series, value, timeMs, record) => {
        if (this.isAhead(timeMs, () => `${series.node} ${series.sensor}`)) return
        const { partition, offset } = record
        const horizonMs = this.observe(partition, timeMs) - this.options.latenessMs
        const refusal = this.assembler.add(series, value, timeMs, partition, offset, horizonMs)
        if (refusal === null) {
          this.taken++
          this.place(series.node, record.partition)
          // Not every topic of a node names its rack.
          if (series.rack !== null && !this.racks.has(series.node)) this.racks.set(series.node, series.rack)
        } else {
          this.telemetry.dropped(refusal, `${series.node} ${series.sensor}`)
        }
      },
      maintenance: (node, rack, muted, timeMs, { partition, offset }) => {
        if (this.isAhead(timeMs, () => `maintenance of ${node}`)) return
        this.mutes.add({ node, muted, timeMs, partition, offset })
        if (rack !== null) this.racks.set(node, rack)
      },
      drop: (reason, record, detail) => {
        this.telemetry.dropped(reason, `partition ${record.partition} offset ${record.offset}: ${detail}`)
      },
    }
  }

  /** Drops what claims to come from the future. */
  private isAhead(timeMs: number, what: () => string): boolean {
    if (timeMs <= this.nowMs + this.options.futureSkewMs) return false
    this.telemetry.dropped('future', `${what()} at ${new Date(timeMs).toISOString()}`)
    return true
  }

  private place(node: string, partition: number): void {
    const heard = this.heard.get(node)
    if (heard === undefined) {
      this.heard.set(node, partition)
      this.partitions.set(node, partition)
    } else if (heard !== partition && !this.spread.has(node)) {
      this.spread.add(node)
      this.telemetry.nodeSpread(node, [heard, partition], this.spread.size, this.options.isWhole)
    }
  }

  private async flagWindow(window: ClosedWindow, emission: Emission): Promise<void> {
    const { schema } = this.bundle.manifest
    const metrics = schema.metrics.length
    const d = featureCount(schema)
    const rows: Row[] = []
    for (let row = 0; row < window.block.rows; row++) {
      const node = this.assembler.nodes[row]! // one row a slot
      if (this.detector.isEmitted(node, window.endMs)) continue
      const share = coverage(schema.metrics, window.block.counts, row * metrics)
      if (share === 0 && !this.detector.knows(node)) continue
      rows.push({ row, coverage: share, scorable: this.detector.isScorable(share) })
    }
    for (let first = 0; first < rows.length; first += SCORE_ROWS) {
      await this.flagRows(window, rows.slice(first, first + SCORE_ROWS), d, emission)
    }
    const scored = rows.filter(({ scorable }) => scorable).length
    this.telemetry.windowsClosed(scored, rows.length - scored)
  }

  private async flagRows(window: ClosedWindow, rows: Row[], d: number, emission: Emission): Promise<void> {
    const scorable = rows.filter((row) => row.scorable)
    const values = new Float64Array(scorable.length * d)
    const nodes = new Int32Array(scorable.length)
    scorable.forEach(({ row }, i) => {
      values.set(window.block.values.subarray(row * d, (row + 1) * d), i * d)
      nodes[i] = this.scalerRow.get(this.assembler.nodes[row]!) ?? 0 // one row a slot
    })
    const started = performance.now()
    const scores = scorable.length === 0 ? null : await this.scorer.score(values, nodes, scorable.length)
    if (scores !== null) {
      this.telemetry.scored(scorable.length, (performance.now() - started) / 1000)
      let clipped = 0
      for (let i = 0; i < scorable.length; i++) clipped += scores.clipped[i]! // one entry a row
      this.telemetry.clipped(clipped, scorable.length * d)
    }
    let next = 0
    for (const { row, coverage: share, scorable: isScored } of rows) {
      const node = this.assembler.nodes[row]! // one row a slot
      const facts = {
        node,
        rack: this.racks.get(node) ?? null,
        muted: this.muted.has(node),
        rebooted: window.rebooted[row] === 1,
      }
      const result = this.detector.take(facts, window.block, row, share, isScored ? scores : null, next)
      if (isScored) next++
      emission.flags.push(result.flag)
      if (result.alarm !== null) emission.alarms.push(result.alarm)
    }
  }
}
