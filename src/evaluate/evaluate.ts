import { calibrate } from '../detect/calibrate.ts'
import { Detector, type DetectorOptions } from '../detect/detector.ts'
import { type Calibration, combine, type Memory, startMemory, toScore } from '../detect/memory.ts'
import type { AlarmRecord, FlagRecord } from '../detect/records.ts'
import type { History } from '../history/types.ts'
import type { Bundle } from '../model/bundle.ts'
import { SCORE_ROWS, Scorer } from '../model/scorer.ts'
import type { WindowBlock } from '../windows/block.ts'
import { coverage } from '../windows/coverage.ts'
import { featureCount } from '../windows/schema.ts'
import { type Baseline, fitKMeansDistance, fitPca } from './baselines.ts'
import { detectEvents, labelledEvents, type ScoredWindows } from './events.ts'
import { atThreshold, auroc, averagePrecision, bestF1 } from './metrics.ts'

/** Figures of one detector on one node, or their means over nodes; null where labels leave them undefined. */
export interface Figures {
  auroc: number | null
  averagePrecision: number | null
  bestF1: number | null
  precision: number | null
  recall: number | null
  falseFlagsPerDay: number | null
  events: number
  found: number
  /** Mean over the events found, seconds. */
  delaySeconds: number | null
}

export interface DetectorFigures {
  detector: string
  mean: Figures
  nodes: Record<string, Figures>
}

export interface Evaluation {
  model: string
  history: { layout: string; files: number; nodes: number; fromMs: number; toMs: number; labelled: boolean }
  windows: { read: number; scored: number; anomalous: number; unknown: number }
  detectors: DetectorFigures[]
}

/** One detector's scores of all windows, NaN where not scored. 1.0 is its threshold. */
interface Column {
  name: string
  score: Float64Array
}

/** The name under which the model's own score stands in the table. */
export const MODEL_NAME = 'DEC'

/**
 * Scores history window by window with the model, as the daemon would, and with two baselines that saw the same
 * training windows, once by the single window and once with the model's memory over windows. No point adjustment.
 * `onFlag` sees every record of the model.
 */
export async function evaluate(
  bundle: Bundle,
  history: History,
  options: DetectorOptions,
  onFlag: (flag: FlagRecord, alarm: AlarmRecord | null) => void = () => {},
  signal?: AbortSignal,
): Promise<Evaluation> {
  const { schema } = bundle.manifest
  const scorer = await Scorer.create(bundle.model, featureCount(schema))
  const detector = new Detector(bundle, options)
  const rivals = fitBaselines(bundle)
  const kept = createKept([MODEL_NAME, ...rivals.flatMap(({ name }) => [name, `${name}, with memory`])])
  const scalerRow = scalerRows(bundle, history.nodes)
  try {
    const request = signal === undefined ? { blockRows: SCORE_ROWS } : { blockRows: SCORE_ROWS, signal }
    for await (const block of history.windows(schema, request)) {
      const share = Array.from({ length: block.rows }, (_, row) =>
        coverage(schema.metrics, block.counts, row * schema.metrics.length),
      )
      const scorable = share.flatMap((s, row) => (detector.isScorable(s) ? [row] : []))
      const scores = scorable.length === 0 ? null : await scoreBlock(scorer, block, scorable, scalerRow)
      const single = rivals.map(({ baseline }) =>
        scores === null ? new Float64Array(0) : baseline.score(scores.scaled, scorable.length),
      )
      const at = kept.append(block)
      let next = 0
      for (let row = 0; row < block.rows; row++) {
        const node = history.nodes[block.node[row]!]! // blocks index the history's nodes
        const isScored = scorable[next] === row
        const facts = { node, rack: null, muted: false, rebooted: false }
        const { flag, alarm } = detector.take(facts, block, row, share[row]!, isScored ? scores : null, next)
        onFlag(flag, alarm)
        if (!isScored) continue
        kept.columns[0]!.score[at + row] = flag.score ?? Number.NaN // the model's column
        rivals.forEach((rival, r) => {
          const value = single[r]![next]! // one score a scorable row
          kept.columns[1 + 2 * r]!.score[at + row] = rival.single(value)
          kept.columns[2 + 2 * r]!.score[at + row] = rival.remembered(block.node[row]!, value)
        })
        next++
      }
    }
  } finally {
    await scorer.release()
  }
  return summarise(bundle, history, kept)
}

function scoreBlock(scorer: Scorer, block: WindowBlock, rows: number[], scalerRow: Int32Array) {
  const d = block.values.length / block.rows
  const values = new Float64Array(rows.length * d)
  const nodes = new Int32Array(rows.length)
  rows.forEach((row, i) => {
    values.set(block.values.subarray(row * d, (row + 1) * d), i * d)
    nodes[i] = scalerRow[block.node[row]!]! // blocks index the history's nodes
  })
  return scorer.score(values, nodes, rows.length)
}

/** By node of the history, the row of the scaler; 0 for nodes that the model does not know. */
function scalerRows(bundle: Bundle, nodes: readonly string[]): Int32Array {
  const known = new Map(bundle.manifest.scaler.nodes.map((node, i) => [node, i + 1]))
  return Int32Array.from(nodes, (node) => known.get(node) ?? 0)
}

/** A baseline with both ways of judging, each calibrated on the model's own calibration windows. */
interface Rival {
  name: string
  baseline: Baseline
  single(value: number): number
  remembered(node: number, value: number): number
}

const LOG_FLOOR = 1e-9
/** Principal components keep this share of the variance, as the documented baseline does. */
const PCA_VARIANCE = 0.95
const KMEANS_CENTRES = 8

function fitBaselines(bundle: Bundle): Rival[] {
  const { schema, reference, training } = bundle.manifest
  const d = featureCount(schema)
  const train = bundle.reference.subarray(0, reference.train * d)
  const rows = reference.calibration.reduce((sum, [, count]) => sum + count, 0)
  const held = bundle.reference.subarray(reference.train * d)
  const node = Int32Array.from(reference.calibration.flatMap(([n, count]) => Array<number>(count).fill(n)))
  const baselines = [
    fitPca(train, reference.train, d, { components: { variance: PCA_VARIANCE } }),
    fitKMeansDistance(train, reference.train, d, { k: KMEANS_CENTRES, seed: training.seed }),
  ]
  return baselines.map((baseline) => {
    const raw = baseline.score(held, rows)
    const evidence = raw.map((value) => Math.log(value + LOG_FLOOR))
    const calibration = calibrate({ rows, node, evidence }, bundle.manifest.calibration.falseFlagRate)
    const sorted = raw.toSorted()
    // The single window's threshold is empirical: the quantile that the model's rate asks for.
    const quantile = Math.floor((1 - bundle.manifest.calibration.falseFlagRate) * (rows - 1))
    const limit = Math.max(sorted[quantile] ?? 0, LOG_FLOOR)
    return {
      name: baseline.name,
      baseline,
      single: (value) => value / limit,
      remembered: withMemory(calibration),
    }
  })
}

function withMemory(calibration: Calibration): (node: number, value: number) => number {
  const memories = new Map<number, Memory>()
  return (node, value) => {
    let memory = memories.get(node)
    if (memory === undefined) {
      memory = startMemory(calibration)
      memories.set(node, memory)
    }
    return toScore(combine(memory, calibration, [Math.log(value + LOG_FLOOR)], 0), calibration)
  }
}

/** Everything that outlives a block, a few dozen bytes a window. */
interface Kept {
  rows: number
  node: Int32Array
  start: Float64Array
  label: Int8Array
  columns: Column[]
  /** Makes room for a block; returns the index of its first window. */
  append(block: WindowBlock): number
}

function createKept(names: readonly string[]): Kept {
  const columns = names.map((name) => ({ name, score: new Float64Array(0) }))
  const kept: Kept = {
    rows: 0,
    node: new Int32Array(0),
    start: new Float64Array(0),
    label: new Int8Array(0),
    columns,
    append(block) {
      const first = kept.rows
      const end = first + block.rows
      if (end > kept.node.length) {
        const size = Math.max(end, 2 * kept.node.length, 4096)
        kept.node = copyInto(new Int32Array(size), kept.node)
        kept.start = copyInto(new Float64Array(size), kept.start)
        kept.label = copyInto(new Int8Array(size), kept.label)
        for (const column of columns) {
          column.score = copyInto(new Float64Array(size).fill(Number.NaN), column.score)
        }
      }
      kept.node.set(block.node.subarray(0, block.rows), first)
      kept.start.set(block.start.subarray(0, block.rows), first)
      kept.label.set(block.label.subarray(0, block.rows), first)
      kept.rows = end
      return first
    },
  }
  return kept
}

function copyInto<T extends { set(values: T): void }>(to: T, from: T): T {
  to.set(from)
  return to
}

function summarise(bundle: Bundle, history: History, kept: Kept): Evaluation {
  const { schema } = bundle.manifest
  const rowsOf = history.nodes.map((): number[] => [])
  let scored = 0
  let anomalous = 0
  let unknown = 0
  for (let row = 0; row < kept.rows; row++) {
    rowsOf[kept.node[row]!]!.push(row) // blocks index the history's nodes
    if (!Number.isNaN(kept.columns[0]!.score[row]!)) scored++
    if (kept.label[row] === 1) anomalous++
    if (kept.label[row] === -1) unknown++
  }
  return {
    model: bundle.version,
    history: {
      layout: history.layout,
      files: history.files.length,
      nodes: history.nodes.length,
      fromMs: history.fromMs,
      toMs: history.toMs,
      labelled: history.labelled,
    },
    windows: { read: kept.rows, scored, anomalous, unknown },
    detectors: kept.columns.map(({ name, score }) => {
      const nodes = Object.fromEntries(
        history.nodes.map((node, n) => {
          const rows = rowsOf[n]! // one list a node
          const windows: ScoredWindows = {
            rows: rows.length,
            node: Int32Array.from(rows, () => n),
            start: Float64Array.from(rows, (row) => kept.start[row]!),
            label: Int8Array.from(rows, (row) => kept.label[row]!),
            score: Float64Array.from(rows, (row) => score[row]!),
          }
          return [node, figures(windows, schema.everySeconds, schema.lengthSeconds)]
        }),
      )
      return { detector: name, nodes, mean: meanFigures(Object.values(nodes)) }
    }),
  }
}

function figures(windows: ScoredWindows, everySeconds: number, lengthSeconds: number): Figures {
  const { score, label } = windows
  const point = atThreshold(score, label, 1, everySeconds)
  const events = labelledEvents(windows, lengthSeconds)
  const delays = detectEvents(events, windows, 1, lengthSeconds).flatMap(
    ({ delaySeconds }) => delaySeconds ?? [],
  )
  return {
    auroc: auroc(score, label),
    averagePrecision: averagePrecision(score, label),
    bestF1: bestF1(score, label)?.f1 ?? null,
    precision: point.precision,
    recall: point.recall,
    falseFlagsPerDay: point.falseFlagsPerDay,
    events: events.length,
    found: delays.length,
    delaySeconds: mean(delays),
  }
}

/** Means over the nodes where a figure is defined; events are summed. */
function meanFigures(nodes: readonly Figures[]): Figures {
  const over = (pick: (figures: Figures) => number | null): number | null =>
    mean(nodes.flatMap((node) => pick(node) ?? []))
  return {
    auroc: over((f) => f.auroc),
    averagePrecision: over((f) => f.averagePrecision),
    bestF1: over((f) => f.bestF1),
    precision: over((f) => f.precision),
    recall: over((f) => f.recall),
    falseFlagsPerDay: over((f) => f.falseFlagsPerDay),
    events: nodes.reduce((sum, f) => sum + f.events, 0),
    found: nodes.reduce((sum, f) => sum + f.found, 0),
    delaySeconds: over((f) => f.delaySeconds),
  }
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length
}
