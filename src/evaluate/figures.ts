import { detectEvents, type LabelledEvent, labelledEvents } from './events.ts'
import { drawResamples, type Interval, interval, RESAMPLES, type Resampling } from './intervals.ts'
import { atThreshold, auroc, averagePrecision, bestF1 } from './metrics.ts'
import { RESAMPLED, type Resampled, type ResampledFigure, resample } from './resampled.ts'
import type { Column, EvaluatedWindows } from './windows.ts'

/** Figures of one detector on one node, on all, or their means over nodes; null where labels leave them undefined. */
export interface Figures {
  auroc: number | null
  averagePrecision: number | null
  /** Over all thresholds, chosen on the labels themselves: what an oracle would reach. */
  bestF1: number | null
  /** These and what follows at the threshold, score 1.0. */
  precision: number | null
  recall: number | null
  /** In a day of normal windows of one node. */
  falseFlagsPerDay: number | null
  events: number
  found: number
  /** Mean over the events found, seconds. */
  delaySeconds: number | null
  /** 95 %; null where there is too little data for one, see intervals.ts. */
  intervals: Record<ResampledFigure, Interval | null>
}

export interface DetectorFigures {
  detector: string
  /** All windows of all nodes together: scores are comparable, as 1.0 is everyone's threshold. */
  pooled: Figures
  /** Means over the nodes where a figure is defined; events are summed. */
  mean: Figures
  nodes: Record<string, Figures>
}

/** How much larger a figure of the model is than that of another detector, on the same resamples. */
export interface Difference {
  detector: string
  pooled: Record<'auroc' | 'averagePrecision', { value: number | null; interval: Interval | null }>
  mean: Difference['pooled']
}

export interface EventFigures {
  node: string
  fromMs: number
  toMs: number
  /** By detector, from the start of the event to the end of the first flagged window; null when missed. */
  delaySeconds: Record<string, number | null>
}

export interface Summary {
  detectors: DetectorFigures[]
  /** The model less each other detector. */
  differences: Difference[]
  events: EventFigures[]
}

interface Measured {
  figures: Figures
  resampled: Resampled
}

/** Figures of every detector; the first column is the model. `nodes`: names that the windows index. */
export async function summarise(
  windows: EvaluatedWindows,
  nodes: readonly string[],
  { everySeconds, lengthSeconds }: { everySeconds: number; lengthSeconds: number },
  signal?: AbortSignal,
): Promise<Summary> {
  const resampling = drawResamples(windows.start)
  const rowsOf = rowsByNode(windows, nodes.length)
  const all = Int32Array.from({ length: windows.rows }, (_, row) => row)
  const events = labelledEvents(windows, lengthSeconds)
  const delays = events.map((): Record<string, number | null> => ({}))
  const detectors: { pooled: Measured; mean: Measured; nodes: Figures[]; name: string }[] = []
  for (const column of windows.columns) {
    // Lets an interrupt through: each column is seconds of work where there are millions of windows.
    await new Promise(setImmediate)
    signal?.throwIfAborted()
    const context: Context = { windows, column, resampling, everySeconds, lengthSeconds }
    const found = detectEvents(events, { ...windows, score: column.score }, 1, lengthSeconds)
    found.forEach(({ delaySeconds }, i) => {
      delays[i]![column.name] = delaySeconds // one record an event
    })
    const mean = new MeanOfNodes()
    const ofNodes = rowsOf.map((rows, node) => {
      const measured = measure(
        context,
        rows,
        found.filter(({ event }) => event.node === node),
      )
      mean.add(measured)
      return measured.figures
    })
    const pooled = measure(context, all, found)
    detectors.push({ name: column.name, pooled, mean: mean.finish(), nodes: ofNodes })
  }
  const model = detectors[0]! // the model's column comes first
  return {
    detectors: detectors.map((one) => ({
      detector: one.name,
      pooled: one.pooled.figures,
      mean: one.mean.figures,
      nodes: Object.fromEntries(nodes.map((node, i) => [node, one.nodes[i]!])), // one a node
    })),
    differences: detectors.slice(1).map((one) => ({
      detector: one.name,
      pooled: difference(model.pooled, one.pooled),
      mean: difference(model.mean, one.mean),
    })),
    events: events.map(({ node, startMs, endMs }, i) => ({
      node: nodes[node]!, // windows index the nodes
      fromMs: startMs,
      toMs: endMs,
      delaySeconds: delays[i]!, // one record an event
    })),
  }
}

interface Context {
  windows: EvaluatedWindows
  column: Column
  resampling: Resampling
  everySeconds: number
  lengthSeconds: number
}

function measure(
  { windows, column, resampling, everySeconds }: Context,
  rows: Int32Array,
  events: readonly { event: LabelledEvent; delaySeconds: number | null }[],
): Measured {
  const score = Float64Array.from(rows, (row) => column.score[row]!) // rows index the windows
  const label = Int8Array.from(rows, (row) => windows.label[row]!)
  const point = atThreshold(score, label, 1, everySeconds)
  const delays = events.flatMap(({ delaySeconds }) => delaySeconds ?? [])
  const resampled = resample({ score: column.score, label: windows.label, rows }, resampling, everySeconds)
  const figures: Figures = {
    auroc: auroc(score, label),
    averagePrecision: averagePrecision(score, label),
    bestF1: bestF1(score, label)?.f1 ?? null,
    precision: point.precision,
    recall: point.recall,
    falseFlagsPerDay: point.falseFlagsPerDay,
    events: events.length,
    found: delays.length,
    delaySeconds: mean(delays),
    intervals: intervalsOf(resampled),
  }
  return { figures, resampled }
}

/** Means over nodes, figure by figure and resample by resample, without keeping those of every node. */
class MeanOfNodes {
  private readonly nodes: Figures[] = []
  private readonly sums = emptyResampled(RESAMPLES)
  private readonly counts = emptyResampled(RESAMPLES)

  add({ figures, resampled }: Measured): void {
    this.nodes.push(figures)
    for (const name of RESAMPLED) {
      resampled[name].forEach((value, b) => {
        if (Number.isNaN(value)) return
        this.sums[name][b]! += value // b < RESAMPLES
        this.counts[name][b]!++
      })
    }
  }

  finish(): Measured {
    const over = (pick: (figures: Figures) => number | null): number | null =>
      mean(this.nodes.flatMap((node) => pick(node) ?? []))
    const resampled = emptyResampled(RESAMPLES)
    for (const name of RESAMPLED) {
      // 0 / 0 is NaN, as it should be where no node defines the figure.
      resampled[name] = this.sums[name].map((sum, b) => sum / this.counts[name][b]!)
    }
    const figures: Figures = {
      auroc: over((f) => f.auroc),
      averagePrecision: over((f) => f.averagePrecision),
      bestF1: over((f) => f.bestF1),
      precision: over((f) => f.precision),
      recall: over((f) => f.recall),
      falseFlagsPerDay: over((f) => f.falseFlagsPerDay),
      events: this.nodes.reduce((sum, f) => sum + f.events, 0),
      found: this.nodes.reduce((sum, f) => sum + f.found, 0),
      delaySeconds: over((f) => f.delaySeconds),
      intervals: intervalsOf(resampled),
    }
    return { figures, resampled }
  }
}

function difference(model: Measured, other: Measured): Difference['pooled'] {
  const of = (name: 'auroc' | 'averagePrecision'): { value: number | null; interval: Interval | null } => {
    const [a, b] = [model.figures[name], other.figures[name]]
    const resampled = model.resampled[name].map((value, i) => value - other.resampled[name][i]!) // equally many
    return { value: a === null || b === null ? null : a - b, interval: interval(resampled) }
  }
  return { auroc: of('auroc'), averagePrecision: of('averagePrecision') }
}

function intervalsOf(resampled: Resampled): Figures['intervals'] {
  return Object.fromEntries(
    RESAMPLED.map((name) => [name, interval(resampled[name])]),
  ) as Figures['intervals']
}

function emptyResampled(resamples: number): Resampled {
  return Object.fromEntries(RESAMPLED.map((name) => [name, new Float64Array(resamples)])) as Resampled
}

function rowsByNode({ node, rows }: EvaluatedWindows, nodes: number): Int32Array[] {
  const counts = new Int32Array(nodes)
  for (let row = 0; row < rows; row++) counts[node[row]!]!++ // windows index the nodes
  const result = Array.from(counts, (count) => new Int32Array(count))
  counts.fill(0)
  for (let row = 0; row < rows; row++) {
    const n = node[row]!
    result[n]![counts[n]!++] = row
  }
  return result
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length
}
