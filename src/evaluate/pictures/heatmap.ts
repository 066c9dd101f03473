/** Which metrics carried the largest flags. */
import type { TopLevelSpec } from 'vega-lite'
import type { PeakFlag } from '../detail.ts'
import { count, percent, shortMoment } from './numbers.ts'
import type { Picture } from './render.ts'
import { GREY, INK, SKY, shorten, VERMILLION } from './style.ts'

const MOST_METRICS = 18
const MOST_FLAGS = 20
/** Of a name beside or below the cells. */
const MOST_CHARACTERS = 24
const CELL = { width: 27, height: 19 }
/** A cell of at least this share carries its figure. */
const TOLD_SHARE = 0.1

const TRUTHS = ['labelled anomalous', 'labelled normal', 'label unknown']

/** Null without flags. Columns: the first MOST_FLAGS, in order; rows: the metrics with the largest shares over them. */
export function heatmapPicture(all: readonly PeakFlag[]): Picture | null {
  if (all.length === 0) return null
  const flags = all.slice(0, MOST_FLAGS)
  const totals = new Map<string, number>()
  for (const { shares } of flags) {
    for (const { metric, share } of shares) totals.set(metric, (totals.get(metric) ?? 0) + share)
  }
  const ranked = [...totals].sort((a, b) => b[1] - a[1])
  const metrics = ranked.slice(0, MOST_METRICS).map(([metric]) => metric)
  const columns = flags.map((flag, i) => ({
    column: i,
    name: `${shorten(flag.node, MOST_CHARACTERS)}  ${shortMoment(flag.startMs)}`,
    score: flag.score >= 99.5 ? count(Math.round(flag.score)) : String(Number(flag.score.toPrecision(2))),
    truth: TRUTHS[flag.label === 1 ? 0 : flag.label === 0 ? 1 : 2],
  }))
  const cells = flags.flatMap((flag, column) => {
    const of = new Map(flag.shares.map(({ metric, share }) => [metric, share]))
    return metrics.map((metric) => {
      const share = of.get(metric) ?? 0
      return { column, metric, share, text: share >= TOLD_SHARE ? String(Math.round(100 * share)) : '' }
    })
  })
  const names = Object.fromEntries(columns.map(({ column, name }) => [column, name]))
  const x = {
    field: 'column',
    type: 'ordinal',
    title: null,
    axis: {
      orient: 'bottom',
      labelExpr: `${JSON.stringify(names)}[datum.value]`,
      labelAngle: -60,
      labelAlign: 'right',
      labelBaseline: 'middle',
      ticks: false,
      domain: false,
    },
  } as const
  const y = {
    field: 'metric',
    type: 'nominal',
    sort: metrics,
    title: null,
    axis: { ticks: false, domain: false, labelExpr: 'truncate(datum.label, 32)' },
  } as const
  const width = Math.max(4, flags.length) * CELL.width
  const hasTruth = flags.some(({ label }) => label !== -1)
  const plain = { ...x, axis: null }
  const spec: TopLevelSpec = {
    title: {
      text: 'Metrics behind the largest flags',
      subtitle: 'in the cells: share of the evidence, %; above: score',
    },
    spacing: 4,
    vconcat: [
      {
        width,
        height: hasTruth ? 30 : 14,
        view: { stroke: null },
        data: { values: columns },
        layer: [
          {
            mark: { type: 'text', fontSize: 10, color: INK, yOffset: hasTruth ? -8 : 0 },
            encoding: { x: plain, text: { field: 'score' } },
          },
          ...(hasTruth
            ? [
                {
                  mark: { type: 'point' as const, filled: true, opacity: 1, size: 44, yOffset: 8 },
                  encoding: {
                    x: plain,
                    color: truth([VERMILLION, GREY, SKY]),
                    shape: truth(['triangle-up', 'circle', 'diamond']),
                  },
                },
              ]
            : []),
        ],
      },
      {
        width,
        height: metrics.length * CELL.height,
        data: { values: cells },
        layer: [
          {
            mark: { type: 'rect', stroke: '#d5dae0', strokeWidth: 0.5 },
            encoding: {
              x,
              y,
              color: {
                field: 'share',
                type: 'quantitative',
                // The root lets small shares show beside a metric that carries all.
                scale: { type: 'sqrt', domain: [0, 1], range: SHADES, interpolate: 'rgb' },
                legend: null,
              },
            },
          },
          {
            mark: { type: 'text', fontSize: 10 },
            encoding: {
              x,
              y,
              text: { field: 'text' },
              color: { condition: { test: 'datum.share > 0.35', value: '#fffffd' }, value: '#14181c' },
            },
          },
        ],
      },
    ],
    resolve: { scale: { color: 'independent', shape: 'independent' } },
  }
  const top = ranked.slice(0, 5).map(([metric, total]) => `${metric} ${percent(total / flags.length)}`)
  return {
    name: 'residuals',
    title: 'Metrics behind the largest flags',
    description: `${metrics.length} metrics by ${flags.length} flags. Largest mean shares: ${top.join(', ')}.`,
    spec,
  }
}

/** Colour and shape by label; one legend, as both are alike but for the range. */
function truth(range: string[]) {
  return {
    field: 'truth',
    type: 'nominal' as const,
    title: null,
    scale: { domain: TRUTHS, range },
    legend: { orient: 'top' as const, offset: 4 },
  }
}

/** From nearly white to a dark blue: in print and to colour-blind readers darker is more. */
const SHADES = ['#f5f8fb', '#7fb2d9', '#0a3d6b']
