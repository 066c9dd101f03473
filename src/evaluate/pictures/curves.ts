/** ROC and precision against recall of the model's detector among its baselines. */
import type { TopLevelSpec } from 'vega-lite'
import type { EvaluationDetail } from '../detail.ts'
import { CONSTANT_NAME } from '../evaluate.ts'
import { auroc, averagePrecision, descend, splitByLabel } from '../metrics.ts'
import type { Column } from '../windows.ts'
import { fraction, percent } from './numbers.ts'
import type { Picture } from './render.ts'
import { GREY, haloed, INK, type Layer, MUTED, NARROW, VERMILLION } from './style.ts'

/** ROC or precision against recall, with a sentence on how to read it. */
export interface CurvePicture extends Picture {
  caption: string
}

interface Curve {
  name: string
  /** AUROC or average precision. */
  area: number
  x: Float64Array
  y: Float64Array
}

/** A curve is drawn with at most so many points: more than pixels would not be seen. */
const MOST_POINTS = 300

/**
 * Two pictures: ROC, and precision against recall, over all windows. The model (the first of the scores) stands out,
 * the baseline with the largest area beside it; the others are grey. Empty when only one class was scored.
 */
export function curvePictures({ scores, label }: Pick<EvaluationDetail, 'scores' | 'label'>): CurvePicture[] {
  const all = scores.filter(({ name }) => name !== CONSTANT_NAME).map((column) => sweep(column, label))
  const first = all[0]
  if (first === null || first === undefined) return []
  const { positives, negatives } = first
  const base = positives / (positives + negatives)
  const curves = all.flatMap((swept) => swept ?? [])
  return [
    picture({
      name: 'roc',
      title: 'ROC over all windows',
      area: 'AUROC',
      xTitle: 'false positive rate',
      yTitle: 'true positive rate (recall)',
      curves: curves.map(({ roc }) => roc),
      chance: [
        { x: 0, y: 0 },
        { x: 1, y: 1 },
      ],
      chanceText: 'chance',
      caption:
        'Every threshold at once: how much of what is anomalous is flagged, at the price of how much of what is normal. Nearer the upper left corner is better.',
    }),
    picture({
      name: 'precision-recall',
      title: 'Precision and recall over all windows',
      area: 'average precision',
      xTitle: 'recall',
      yTitle: 'precision',
      curves: curves.map(({ precision }) => precision),
      chance: [
        { x: 0, y: base },
        { x: 1, y: base },
      ],
      chanceText: `chance: ${percent(base)} of the windows are anomalous`,
      caption:
        'Every threshold at once: how many of the flags are right when so much is found. It tells more than ROC where anomalies are rare.',
    }),
  ]
}

interface Swept {
  positives: number
  negatives: number
  roc: Curve
  precision: Curve
}

/** Both curves in one pass over the thresholds, from the highest down. Null when one class is missing. */
function sweep({ name, score }: Column, label: Int8Array): Swept | null {
  const classes = splitByLabel(score, label)
  const positives = classes.anomalous.length
  const negatives = classes.normal.length
  if (positives === 0 || negatives === 0) return null
  const falseRate = [0]
  const recall = [0]
  const precision: number[] = []
  descend(classes, (_, hits, falseFlags) => {
    falseRate.push(falseFlags / negatives)
    recall.push(hits / positives)
    precision.push(hits / (hits + falseFlags))
  })
  // The first threshold's precision holds from recall 0 on.
  precision.unshift(precision[0] ?? 1)
  return {
    positives,
    negatives,
    roc: { name, area: auroc(score, label) ?? 0, ...thin(falseRate, recall) },
    precision: { name, area: averagePrecision(score, label) ?? 0, ...thin(recall, precision) },
  }
}

/** Keeps the first and last point and, in between, one every so far along the curve. */
function thin(x: number[], y: number[]): { x: Float64Array; y: Float64Array } {
  const kept: number[] = [0]
  let length = 0
  const lengths = x.map((_, i) => {
    if (i > 0) length += Math.abs(x[i]! - x[i - 1]!) + Math.abs(y[i]! - y[i - 1]!) // i within both
    return length
  })
  const step = length / MOST_POINTS
  for (let i = 1; i < x.length; i++) {
    if (i === x.length - 1 || lengths[i]! - lengths[kept.at(-1)!]! >= step) kept.push(i) // kept is not empty
  }
  return { x: Float64Array.from(kept, (i) => x[i]!), y: Float64Array.from(kept, (i) => y[i]!) }
}

const SIZE = NARROW - 60
/** Below the plot: a sample of each line, and the height of its row, px. */
const KEY = { line: 28, row: 17 }

function picture(options: {
  name: string
  title: string
  area: string
  xTitle: string
  yTitle: string
  curves: Curve[]
  chance: { x: number; y: number }[]
  chanceText: string
  caption: string
}): CurvePicture {
  const { curves, area } = options
  const [model, ...baselines] = curves as [Curve, ...Curve[]] // the caller gives at least the model's
  const ranked = baselines.toSorted((a, b) => b.area - a.area)
  const best = ranked[0]
  const rest = ranked.slice(1)
  const position = (title: { x: string; y: string }) => ({
    x: {
      field: 'x',
      type: 'quantitative',
      title: title.x,
      scale: { domain: [0, 1] },
      axis: { format: '~g', tickCount: 5 },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: title.y,
      scale: { domain: [0, 1] },
      axis: { format: '~g', tickCount: 5 },
    },
  })
  const encoding = position({ x: options.xTitle, y: options.yTitle })
  const line = (curve: Curve, mark: object): Layer =>
    ({
      data: { values: Array.from(curve.x, (x, i) => ({ x, y: curve.y[i], i })) },
      mark: { type: 'line', ...mark },
      encoding: { ...encoding, order: { field: 'i', type: 'quantitative' } },
    }) as Layer
  const names = [
    { text: `${model.name}: ${area} ${fraction(model.area)}`, colour: VERMILLION, dash: [1, 0], width: 2.6 },
    ...(best === undefined
      ? []
      : [{ text: `${best.name}: ${fraction(best.area)}`, colour: INK, dash: [6, 3], width: 1.6 }]),
    ...(rest.length === 0 ? [] : [{ text: othersText(rest), colour: GREY, dash: [1, 0], width: 1 }]),
    { text: options.chanceText, colour: MUTED, dash: [2, 3], width: 1 },
  ]
  const key = names.flatMap((entry, i): Layer[] => [
    {
      data: { values: [{}] },
      mark: { type: 'rule', color: entry.colour, strokeDash: entry.dash, strokeWidth: entry.width },
      encoding: {
        x: { value: 0 },
        x2: { value: KEY.line },
        y: { value: KEY.row * (i + 0.5) },
        y2: { value: KEY.row * (i + 0.5) },
      },
    } as Layer,
    ...haloed({
      data: { values: [{}] },
      mark: { align: 'left', baseline: 'middle', fontWeight: i === 0 ? 600 : 400 },
      encoding: {
        x: { value: KEY.line + 8 },
        y: { value: KEY.row * (i + 0.5) },
        text: { value: entry.text },
      },
    }),
  ])
  const plot: Layer[] = [
    {
      data: { values: options.chance },
      mark: { type: 'line', color: MUTED, strokeDash: [2, 3], strokeWidth: 1 },
      encoding,
    } as Layer,
    ...rest.map((curve) => line(curve, { color: GREY, strokeWidth: 1, opacity: 0.7 })),
    ...(best === undefined ? [] : [line(best, { color: INK, strokeWidth: 1.6, strokeDash: [6, 3] })]),
    line(model, { color: VERMILLION, strokeWidth: 2.6 }),
  ]
  const spec: TopLevelSpec = {
    title: options.title,
    spacing: 14,
    vconcat: [
      { width: SIZE, height: SIZE, layer: plot },
      { width: SIZE, height: KEY.row * names.length, view: { stroke: null }, layer: key },
    ],
  }
  const told = curves.map((curve) => `${curve.name} ${fraction(curve.area)}`).join(', ')
  return {
    name: options.name,
    title: options.title,
    description: `${area}: ${told}.`,
    spec,
    caption: options.caption,
  }
}

function othersText(rest: readonly Curve[]): string {
  const areas = rest.map(({ area }) => area)
  const span = `${fraction(Math.min(...areas))} to ${fraction(Math.max(...areas))}`
  return rest.length === 1
    ? `${rest[0]?.name}: ${fraction(areas[0] ?? Number.NaN)}`
    : `${rest.length} other baselines: ${span}`
}
