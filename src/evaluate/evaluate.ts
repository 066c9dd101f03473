import { Detector, type DetectorOptions } from '../detect/detector.ts'
import type { AlarmRecord, FlagRecord } from '../detect/records.ts'
import { HistoryError } from '../history/error.ts'
import type { History } from '../history/types.ts'
import type { Bundle } from '../model/bundle.ts'
import { codeSize } from '../model/graphs.ts'
import { SCORE_ROWS, Scorer } from '../model/scorer.ts'
import type { WindowBlock } from '../windows/block.ts'
import { coverage } from '../windows/coverage.ts'
import { type FeatureSchema, featureCount } from '../windows/schema.ts'
import { fitBaselines } from './baselines/fit.ts'
import { DetailCollector, type EvaluationDetail } from './detail.ts'
import { labelledEvents } from './events.ts'
import { type Summary, summarise } from './figures.ts'
import { bundledWindows, type FittingWindows } from './fitting.ts'
import { notesOn, nothingScored, type Seen } from './notes.ts'
import { calibrateRival, type Rival, WITH_MEMORY } from './rivals.ts'
import { scalerRows, scoreBlock } from './score-block.ts'
import { EvaluatedWindows } from './windows.ts'

export interface Evaluation extends Summary {
  model: string
  history: { layout: string; files: number; nodes: number; fromMs: number; toMs: number; labelled: boolean }
  windows: { read: number; scored: number; anomalous: number; unknown: number }
  /** What to know before believing the figures, in words. */
  notes: string[]
  /** Windows that the baselines were fitted and calibrated on. */
  baselines: { trained: number; calibrated: number }
}

/** The name under which the model's own score stands in the table. */
export const MODEL_NAME = 'DEC'
/** A detector that says the same of every window: what a figure is worth without any knowledge. */
export const CONSTANT_NAME = 'constant score'

export interface EvaluateExtras {
  /** Sees every record of the model. */
  onFlag?: (flag: FlagRecord, alarm: AlarmRecord | null) => unknown
  /** What the baselines are fitted on; by default what the bundle keeps. */
  fitting?: FittingWindows
  signal?: AbortSignal
}

/**
 * Scores history window by window with the model, as the daemon would, and with the baselines, once by the single
 * window and once with the model's memory over windows. No point adjustment. Rejects with HistoryError when no window can
 * be scored.
 */
export async function evaluate(
  bundle: Bundle,
  history: History,
  options: DetectorOptions,
  { onFlag = () => {}, fitting = bundledWindows(bundle), signal }: EvaluateExtras = {},
): Promise<{ evaluation: Evaluation; detail: EvaluationDetail }> {
  const { schema, network, training, calibration } = bundle.manifest
  const rivals: Rival[] = []
  const scorer = await Scorer.create(bundle.model, featureCount(schema))
  try {
    const rows = fitting.train.length / fitting.features
    for (const baseline of await fitBaselines(fitting.train, rows, fitting.features, training.seed)) {
      rivals.push(await calibrateRival(baseline, fitting.calibration, calibration.falseFlagRate))
    }
    const windows = new EvaluatedWindows([
      MODEL_NAME,
      ...rivals.flatMap(({ baseline: { name } }) => [name, name + WITH_MEMORY]),
      CONSTANT_NAME,
    ])
    const names = schema.metrics.map(({ name }) => name)
    const detail = new DetailCollector(codeSize(network), names, schema.statistics.length)
    const line: Line = {
      history,
      schema,
      scorer,
      rivals,
      windows,
      detail,
      detector: new Detector(bundle, options),
      scalerRow: scalerRows(bundle, history.nodes),
      onFlag,
      seen: { hasValues: new Uint8Array(schema.metrics.length), usual: 0, beyond: 0 },
      leastP: 1 / (bundle.combined.length + 1),
    }
    const request = signal === undefined ? { blockRows: SCORE_ROWS } : { blockRows: SCORE_ROWS, signal }
    for await (const block of history.windows(schema, request)) await judgeBlock(line, block)
    windows.finish()
    const counts = count(windows)
    if (counts.scored === 0) {
      throw new HistoryError(nothingScored(bundle, history, windows, line.seen, options.minCoverage))
    }
    const summary = await summarise(windows, history.nodes, schema, signal)
    return {
      evaluation: {
        model: bundle.version,
        history: describe(history),
        windows: counts,
        notes: notesOn(bundle, history, windows, line.seen),
        baselines: { trained: rows, calibrated: fitting.calibration.node.length },
        ...summary,
      },
      detail: {
        nodes: history.nodes,
        node: windows.node,
        start: windows.start,
        label: windows.label,
        mode: windows.mode,
        scores: windows.columns,
        events: labelledEvents(windows, schema.lengthSeconds),
        ...detail.finish(),
      },
    }
  } finally {
    for (const { baseline } of rivals) await baseline.release()
    await scorer.release()
  }
}

/** What every block passes through. */
interface Line {
  history: History
  schema: FeatureSchema
  scorer: Scorer
  rivals: readonly Rival[]
  windows: EvaluatedWindows
  detail: DetailCollector
  detector: Detector
  /** By node of the history, the row of the scaler. */
  scalerRow: Int32Array
  onFlag: NonNullable<EvaluateExtras['onFlag']>
  seen: Seen
  /** p-value of a window that is stranger than every calibration window. */
  leastP: number
}

async function judgeBlock(line: Line, block: WindowBlock): Promise<void> {
  const { history, schema, rivals, windows, detail, detector } = line
  const metrics = schema.metrics.length
  const share = Array.from({ length: block.rows }, (_, row) =>
    coverage(schema.metrics, block.counts, row * metrics),
  )
  const scorable = share.flatMap((s, row) => (detector.isScorable(s) ? [row] : []))
  const scores = scorable.length === 0 ? null : await scoreBlock(line.scorer, block, scorable, line.scalerRow)
  const single: Float64Array[] = []
  if (scores !== null) {
    for (const { baseline } of rivals) single.push(await baseline.score(scores.scaled, scorable.length))
  }
  const first = windows.append(block)
  const [model, ...others] = windows.columns
  for (let i = 0; i < block.counts.length; i++) if (block.counts[i]! > 0) line.seen.hasValues[i % metrics] = 1
  let next = 0
  for (let row = 0; row < block.rows; row++) {
    const at = first + row
    const node = history.nodes[block.node[row]!]! // blocks index the history's nodes
    const label = block.label[row]!
    const isScored = scorable[next] === row
    const facts = { node, rack: null, muted: false, rebooted: false }
    const judged = isScored ? scores : null
    const { flag, alarm } = detector.take(facts, block, row, share[row]!, judged, next)
    line.onFlag(flag, alarm)
    detail.take(flag, at, label, judged, next)
    if (!isScored) continue
    if (label !== 1) {
      line.seen.usual++
      if (flag.p !== null && flag.p <= line.leastP) line.seen.beyond++
    }
    model!.score[at] = flag.score ?? Number.NaN // the model has the first column
    windows.mode[at] = flag.mode ?? -1
    rivals.forEach((rival, r) => {
      const value = single[r]![next]! // one score a scorable row
      others[2 * r]!.score[at] = rival.single(value) // two columns a rival
      others[2 * r + 1]!.score[at] = rival.remembered(block.node[row]!, value)
    })
    others[2 * rivals.length]!.score[at] = 0 // the constant one is the last
    next++
  }
}

function describe(history: History): Evaluation['history'] {
  return {
    layout: history.layout,
    files: history.files.length,
    nodes: history.nodes.length,
    fromMs: history.fromMs,
    toMs: history.toMs,
    labelled: history.labelled,
  }
}

function count({ rows, label, columns }: EvaluatedWindows): Evaluation['windows'] {
  let [scored, anomalous, unknown] = [0, 0, 0]
  for (let row = 0; row < rows; row++) {
    if (!Number.isNaN(columns[0]!.score[row]!)) scored++ // the model has the first column
    if (label[row] === 1) anomalous++
    if (label[row] === -1) unknown++
  }
  return { read: rows, scored, anomalous, unknown }
}
