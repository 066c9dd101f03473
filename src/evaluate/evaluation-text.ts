/** An evaluation as tables for a terminal of 120 columns. */
import type { Evaluation } from './evaluate.ts'
import type { DetectorFigures, Difference, Figures } from './figures.ts'
import type { Interval } from './intervals.ts'
import { type Cell, type Column, renderTable } from './table.ts'

const COLUMNS: Column[] = [
  { title: 'AUROC', decimals: 3 },
  { title: '95 %' },
  { title: 'AP', decimals: 3 },
  { title: '95 %' },
  { title: 'best F1', decimals: 3 },
  { title: 'prec.', decimals: 3 },
  { title: 'recall', decimals: 3 },
  { title: 'false/day', decimals: 2 },
  { title: 'found' },
  { title: 'delay min', decimals: 0 },
]

const LEGEND = `95 %: interval by block bootstrap of whole days. best F1: at the best threshold in hindsight, an oracle's. prec.,
recall, false flags a day and node, events found and their mean delay: at the threshold, score 1.0.`

/** `nodes`: also the model's figures for each node. */
export function evaluationText(evaluation: Evaluation, nodes: boolean): string {
  const { windows, history, detectors, baselines } = evaluation
  const parts = [
    `model ${evaluation.model}: ${windows.read} windows of ${history.nodes} ${history.nodes === 1 ? 'node' : 'nodes'}, ${windows.scored} scored, ${windows.anomalous} labelled anomalous
baselines fitted on ${baselines.trained} of the model's training windows, thresholds from ${baselines.calibrated} calibration windows`,
    ...(evaluation.notes.length === 0 ? [] : [evaluation.notes.map((note) => `note: ${note}`).join('\n')]),
  ]
  const model = detectors[0] // the model comes first
  if (nodes && model !== undefined) {
    const rows = Object.entries(model.nodes).map(([node, figures]) => [node, ...cells(figures)])
    parts.push(renderTable([{ title: `${model.detector} by node` }, ...COLUMNS], rows))
  }
  const table = (title: string, of: (detector: DetectorFigures) => Figures): string =>
    renderTable(
      [{ title }, ...COLUMNS],
      detectors.map((one) => [one.detector, ...cells(of(one))]),
    )
  if (history.nodes > 1) parts.push(table('mean over nodes', (one) => one.mean))
  parts.push(
    table(history.nodes > 1 ? 'all nodes together' : 'detector', (one) => one.pooled),
    LEGEND,
  )
  const best = bestRival(evaluation)
  if (best !== null) parts.push(best)
  return `${parts.join('\n\n')}\n`
}

function cells(figures: Figures): Cell[] {
  const { intervals, delaySeconds } = figures
  return [
    figures.auroc,
    range(intervals.auroc),
    figures.averagePrecision,
    range(intervals.averagePrecision),
    figures.bestF1,
    figures.precision,
    figures.recall,
    figures.falseFlagsPerDay,
    `${figures.found}/${figures.events}`,
    delaySeconds === null ? null : delaySeconds / 60,
  ]
}

function range(interval: Interval | null): string {
  return interval === null ? '–' : interval.map((end) => short(end)).join('–')
}

/** `.87`, `1.00` */
function short(value: number): string {
  return value.toFixed(2).replace(/^0/, '')
}

/** The model against the baseline that these very labels rank highest, which favours the baseline. */
function bestRival({ detectors, differences, history }: Evaluation): string | null {
  const which = history.nodes > 1 ? 'mean' : 'pooled'
  let best: Difference | null = null
  let most = Number.NEGATIVE_INFINITY
  for (const difference of differences) {
    const value = detectors.find(({ detector }) => detector === difference.detector)?.[which].averagePrecision
    if (value === null || value === undefined || value <= most) continue
    most = value
    best = difference
  }
  if (best === null) return null
  const { auroc, averagePrecision } = best[which]
  return `${detectors[0]?.detector} less ${best.detector}, the best baseline by AP: AUROC ${signed(auroc)}, AP ${signed(averagePrecision)}, on the same resamples`
}

function signed({ value, interval }: Difference['mean']['auroc']): string {
  const sign = (x: number): string => (x < 0 ? `−${short(-x)}` : `+${short(x)}`)
  if (value === null) return '–'
  return interval === null ? sign(value) : `${sign(value)} (${sign(interval[0])} to ${sign(interval[1])})`
}
