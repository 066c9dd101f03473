import { BOOT_SENSOR, type DropReason, type Series } from '../examon/sample.ts'
import type { WindowBlock } from './block.ts'
import {
  addValue,
  type BootReading,
  createPane,
  growPane,
  type Merged,
  mergePanes,
  type Pane,
} from './pane.ts'
import { type FeatureSchema, featureCount, type Statistic } from './schema.ts'

/** Clocks drift and the kernel derives the boot time from them; a real boot moves it by more, s. */
const BOOT_TOLERANCE = 60

/** Why `add` refused a sample. */
export type Refusal = Extract<DropReason, 'unknown_metric' | 'late' | 'duplicate'>

/** A window of all nodes, closed. */
export interface ClosedWindow {
  startMs: number
  endMs: number
  /** One row a node, `block.node` indexing the assembler's `nodes`. */
  block: WindowBlock
  /** By row: 1 when the node booted within the window. */
  rebooted: Uint8Array
}

/**
 * Samples to windows in event time. Samples may come in any order until their window is closed by `close`; later
 * ones are refused as late. A sample that repeats the time of the last one of its series is refused as a duplicate.
 */
export class Assembler {
  /** Node names by slot. */
  readonly nodes: string[] = []
  private readonly slots = new Map<string, number>()
  private readonly schema: FeatureSchema
  private readonly metricOf = new Map<string, number>()
  private readonly paneMs: number
  private readonly lengthMs: number
  private readonly panes = new Map<number, Pane>()
  /** By series id: slot × metrics + metric; -1 not in the schema, -2 not looked up yet. */
  private targets = new Int32Array(0)
  private lastTime = new Float64Array(0)
  /** Newest reading of the boot time of each node. */
  private readonly boots = new Map<string, BootReading>()
  /** The same up to the last window's end: what a restart begins with, for it reads the later ones again. */
  private readonly settledBoots = new Map<string, BootReading>()
  /** End of the last window that may have been closed; always the end of a pane. */
  private closedToMs = Number.NEGATIVE_INFINITY
  /** The pane of the last sample; most samples follow one of the same pane. */
  private recent: Pane | null = null

  constructor(schema: FeatureSchema) {
    this.schema = schema
    this.lengthMs = schema.lengthSeconds * 1000
    this.paneMs = schema.everySeconds * 1000
    if (this.lengthMs % this.paneMs !== 0) {
      throw new RangeError(
        `window length ${schema.lengthSeconds} s is no multiple of every = ${schema.everySeconds} s`,
      )
    }
    schema.metrics.forEach((metric, m) => {
      for (const sensor of metric.sensors) this.metricOf.set(sensor, m)
    })
  }

  /** Makes a node known, so that windows hold a row for it even without samples; `boot` as `bootOf` had it. */
  addNode(name: string, boot: BootReading | null = null): number {
    if (boot !== null) {
      this.boots.set(name, boot)
      this.settledBoots.set(name, boot)
    }
    let slot = this.slots.get(name)
    if (slot === undefined) {
      slot = this.nodes.length
      this.nodes.push(name)
      this.slots.set(name, slot)
    }
    return slot
  }

  /** The newest reading of a node's boot time up to the end of the last closed window. */
  bootOf(node: string): BootReading | null {
    return this.settledBoots.get(node) ?? null
  }

  /**
   * Takes in a sample; null when it was taken, otherwise why not. Windows that end at or before `horizonMs` count as closed, so
   * that what is late does not depend on when `close` was called.
   */
  add(
    series: Series,
    value: number,
    timeMs: number,
    partition: number,
    offset: number,
    horizonMs = Number.NEGATIVE_INFINITY,
  ): Refusal | null {
    const target = this.target(series)
    if (series.sensor === BOOT_SENSOR) this.watchBoot(series.node, value, timeMs, partition, offset)
    if (target < 0) return 'unknown_metric'
    if (this.lastTime[series.id] === timeMs) return 'duplicate'
    const pane = this.paneAt(timeMs, horizonMs)
    if (pane === null) return 'late'
    this.lastTime[series.id] = timeMs
    addValue(pane, target, value)
    pane.isFilled = true
    noteOffset(pane, partition, offset)
    return null
  }

  /**
   * Closes every window that ends at or before `toMs`, in the order of time. Windows in which no node has a sample
   * are passed over: an outage of the input is not one of 980 nodes.
   */
  close(toMs: number): ClosedWindow[] {
    const out: ClosedWindow[] = []
    const starts = [...this.panes.keys()].sort((a, b) => a - b)
    const oldest = starts[0]
    const newest = starts.at(-1)
    if (oldest === undefined || newest === undefined) return out
    const before = this.closedToMs
    // Nothing beyond the newest pane was there to be closed: while the input pauses, `toMs` follows the wall clock,
    // and what comes after the pause must not be late for that.
    const reached = Math.min(Math.floor(toMs / this.paneMs) * this.paneMs, newest + this.lengthMs)
    this.closedToMs = Math.max(before, reached)
    const first = Math.max(oldest, before) - this.lengthMs + this.paneMs
    for (let start = first; start + this.lengthMs <= toMs && start <= newest; start += this.paneMs) {
      const panes = this.panesOf(start)
      if (panes.some((pane) => pane.isFilled)) out.push(this.window(start, panes))
    }
    for (const start of starts) {
      if (start + this.paneMs <= this.closedToMs) this.settleBoots(start)
      // The last window with this pane starts where the pane does.
      if (start + this.lengthMs <= this.closedToMs) this.panes.delete(start)
    }
    this.recent = null
    return out
  }

  /** By partition, the lowest offset that an open window still needs. */
  neededOffsets(): Map<number, number> {
    const needed = new Map<number, number>()
    for (const pane of this.panes.values()) {
      for (const [partition, offset] of pane.offsets) {
        needed.set(partition, Math.min(offset, needed.get(partition) ?? offset))
      }
    }
    return needed
  }

  private target(series: Series): number {
    if (series.id >= this.targets.length) {
      const size = Math.max(1024, 2 * series.id)
      const targets = new Int32Array(size).fill(-2)
      targets.set(this.targets)
      const lastTime = new Float64Array(size).fill(Number.NaN)
      lastTime.set(this.lastTime)
      this.targets = targets
      this.lastTime = lastTime
    }
    let target = this.targets[series.id]! // just made room for
    if (target === -2) {
      const metric = this.metricOf.get(series.sensor)
      target = metric === undefined ? -1 : this.addNode(series.node) * this.schema.metrics.length + metric
      this.targets[series.id] = target
    }
    return target
  }

  private paneAt(timeMs: number, horizonMs = Number.NEGATIVE_INFINITY): Pane | null {
    const start = Math.floor(timeMs / this.paneMs) * this.paneMs
    // Before a pane is made: a late sample must not cost the memory of one.
    if (start + this.lengthMs <= horizonMs) return null
    let pane = this.recent?.startMs === start ? this.recent : this.panes.get(start)
    if (pane === undefined) {
      if (start + this.lengthMs <= this.closedToMs) return null
      pane = createPane(start, Math.max(16, this.nodes.length), this.schema.metrics.length)
      this.panes.set(start, pane)
    }
    if (pane.nodes < this.nodes.length) {
      pane = growPane(pane, Math.max(this.nodes.length, 2 * pane.nodes), this.schema.metrics.length)
      this.panes.set(start, pane)
    }
    this.recent = pane
    return pane
  }

  private panesOf(startMs: number): Pane[] {
    const panes: Pane[] = []
    for (let at = startMs; at < startMs + this.lengthMs; at += this.paneMs) {
      const pane = this.panes.get(at)
      if (pane !== undefined) panes.push(pane)
    }
    return panes
  }

  private watchBoot(node: string, seconds: number, timeMs: number, partition: number, offset: number): void {
    const before = this.boots.get(node)
    if (before !== undefined && timeMs <= before.timeMs) return // a straggler tells of the past
    const reading = { seconds, timeMs }
    this.boots.set(node, reading)
    const slot = this.addNode(node)
    const pane = this.paneAt(timeMs)
    if (pane === null) return
    pane.boots.set(slot, reading)
    noteOffset(pane, partition, offset)
    if (before !== undefined && Math.abs(seconds - before.seconds) > BOOT_TOLERANCE) pane.rebooted[slot] = 1
  }

  private settleBoots(paneStartMs: number): void {
    for (const [slot, reading] of this.panes.get(paneStartMs)?.boots ?? []) {
      this.settledBoots.set(this.nodes[slot]!, reading) // slots are given out with their names
    }
  }

  private window(startMs: number, panes: Pane[]): ClosedWindow {
    const metrics = this.schema.metrics.length
    const d = featureCount(this.schema)
    const rows = this.nodes.length
    const block: WindowBlock = {
      rows,
      node: Int32Array.from({ length: rows }, (_, slot) => slot),
      start: new Float64Array(rows).fill(startMs),
      values: new Float64Array(rows * d),
      counts: new Uint16Array(rows * metrics),
      label: new Int8Array(rows).fill(-1),
    }
    const rebooted = new Uint8Array(rows)
    for (let slot = 0; slot < rows; slot++) {
      for (const pane of panes) if (pane.rebooted[slot] === 1) rebooted[slot] = 1
      for (let m = 0; m < metrics; m++) {
        const merged = mergePanes(panes, slot * metrics + m)
        block.counts[slot * metrics + m] = Math.min(merged.count, 65_535)
        writeStatistics(this.schema, merged, block.values, slot * d + m * this.schema.statistics.length)
      }
    }
    return { startMs, endMs: startMs + this.lengthMs, block, rebooted }
  }
}

/** A pane has few partitions, and each mostly counts up. */
function noteOffset(pane: Pane, partition: number, offset: number): void {
  const first = pane.offsets.get(partition)
  if (first === undefined || offset < first) pane.offsets.set(partition, offset)
}

function writeStatistics(schema: FeatureSchema, merged: Merged, into: Float64Array, at: number): void {
  schema.statistics.forEach((statistic, s) => {
    into[at + s] = merged.count === 0 ? Number.NaN : statisticOf(statistic, merged, schema.ddof)
  })
}

/** A single sample has no spread: its variance is 0 for either ddof, as history has it. */
function statisticOf(statistic: Statistic, merged: Merged, ddof: 0 | 1): number {
  switch (statistic) {
    case 'avg':
      return merged.mean
    case 'max':
      return merged.max
    case 'min':
      return merged.min
    case 'var':
      return merged.count > 1 ? merged.m2 / (merged.count - ddof) : 0
    case 'std':
      return merged.count > 1 ? Math.sqrt(merged.m2 / (merged.count - ddof)) : 0
  }
}
