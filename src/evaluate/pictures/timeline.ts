/** Score over time, one strip a node, with the labelled events behind it. */
import type { TopLevelSpec } from 'vega-lite'
import { count, figure } from './numbers.ts'
import type { Picture } from './render.ts'
import { BLUE, haloed, type Layer, ORANGE, shorten, VERMILLION, WIDE } from './style.ts'

export interface NodeScores {
  node: string
  /** Window starts, ms since the epoch, ascending. */
  start: Float64Array
  /** NaN where a window was not scored. */
  score: Float64Array
  /** Labelled events, ms since the epoch. */
  events: readonly { startMs: number; endMs: number }[]
}

/** Strips in one picture: two screens; more would not be looked at. */
const MOST_STRIPS = 12
/** Of them at most so many have labelled events, so that the highest false alarms are seen too. */
const MOST_WITH_EVENTS = 9
const STRIP_HEIGHT = 64
/** Of one or two nodes. */
const TALL_STRIP_HEIGHT = 150
const MOST_NAME_CHARACTERS = 80
const PLOT_WIDTH = WIDE - 60

/** Days by their date, moments within a day by the hour, in UTC. */
const TIME_LABEL =
  "utchours(datum.value) + utcminutes(datum.value) === 0 ? utcFormat(datum.value, '%-d %b') : utcFormat(datum.value, '%H:%M')"

/** The nodes worth a look: those with events first, then the others, each by their highest score. */
export function tellingNodes(nodes: readonly NodeScores[]): NodeScores[] {
  const ranked = nodes
    .map((node) => ({ node, highest: highest(node.score), hasEvent: node.events.length > 0 }))
    .sort((a, b) => Number(b.hasEvent) - Number(a.hasEvent) || b.highest - a.highest)
  const withEvents = ranked.filter(({ hasEvent }) => hasEvent)
  const others = ranked.filter(({ hasEvent }) => !hasEvent)
  const room = Math.max(MOST_WITH_EVENTS, MOST_STRIPS - others.length)
  const chosen = withEvents.slice(0, room)
  return [...chosen, ...others.slice(0, MOST_STRIPS - chosen.length)].map(({ node }) => node)
}

/** `shown`: number of nodes in it. */
export interface TimelinePicture extends Picture {
  shown: number
}

/** Null when no window was scored. All strips share both axes. */
export function timelinePicture(
  all: readonly NodeScores[],
  span: { fromMs: number; toMs: number },
  everySeconds: number,
): TimelinePicture | null {
  const nodes = tellingNodes(all)
  const top = Math.max(2, ...nodes.map(({ score }) => highest(score)))
  if (!nodes.some(({ score }) => score.some((value) => !Number.isNaN(value)))) return null
  const x = {
    field: 't',
    type: 'temporal' as const,
    title: null,
    scale: { type: 'utc' as const, nice: false },
  }
  const strips = nodes.map((node, i) => {
    const isLast = i === nodes.length - 1
    const y = {
      field: 'score',
      type: 'quantitative' as const,
      title: null,
      scale: { type: 'symlog' as const, constant: 1, domain: [0, top], nice: false },
      axis: { values: scoreTicks(top), format: ',.0f' },
    }
    const axis = isLast
      ? { labelOverlap: true, tickCount: 8, labelExpr: TIME_LABEL }
      : { labels: false, ticks: false, tickCount: 8 }
    const layers: Layer[] = [
      {
        data: { values: node.events.map(({ startMs, endMs }) => ({ t: startMs, end: endMs })) },
        mark: { type: 'rect', color: ORANGE, opacity: 0.35, stroke: ORANGE, strokeWidth: 1 },
        encoding: { x: { ...x, axis }, x2: { field: 'end' } },
      },
      {
        // From end to end: it also spans the axis.
        data: { values: [span.fromMs, span.toMs].map((t) => ({ t, score: 1 })) },
        mark: { type: 'line', color: VERMILLION, strokeDash: [5, 3], strokeWidth: 1 },
        encoding: { x: { ...x, axis }, y },
      },
      {
        data: { values: envelope(node, span, PLOT_WIDTH, everySeconds) },
        mark: { type: 'line', color: BLUE, strokeWidth: 1.2, invalid: 'break-paths-show-path-domains' },
        encoding: { x: { ...x, axis }, y },
      },
      ...haloed({
        data: { values: [{}] },
        mark: { align: 'left', baseline: 'top', fontWeight: 600 },
        encoding: {
          x: { value: 5 },
          y: { value: 4 },
          text: { value: shorten(node.node, MOST_NAME_CHARACTERS) },
        },
      }),
    ]
    return { width: PLOT_WIDTH, height: nodes.length <= 2 ? TALL_STRIP_HEIGHT : STRIP_HEIGHT, layer: layers }
  })
  const spec: TopLevelSpec = {
    title: {
      text: 'Score over time (UTC)',
      subtitle: ['blue: score, logarithmic above 1; dashed red: threshold 1.0; orange: labelled anomalous'],
    },
    spacing: 6,
    vconcat: strips,
  }
  const shown =
    nodes.length < all.length ? `${nodes.length} of ${count(all.length)} nodes` : `${nodes.length} nodes`
  return {
    name: 'score-over-time',
    title: 'Score over time',
    description: `${shown}, one strip each. ${nodes
      .map(({ node, score, events }) => `${node}: highest ${figure(highest(score))}, ${events.length} events`)
      .join('; ')}.`,
    spec,
    shown: nodes.length,
  }
}

/**
 * A curve no finer than pixels: of the windows that fall on one pixel the highest score, so that peaks survive. A
 * pixel whose windows were not scored, and a gap of more than two windows, breaks the line.
 */
export function envelope(
  { start, score }: NodeScores,
  span: { fromMs: number; toMs: number },
  pixels: number,
  everySeconds: number,
): { t: number; score: number | null }[] {
  const width = Math.max(1, span.toMs - span.fromMs) / pixels
  const points: { t: number; score: number | null }[] = []
  let pixel = -1
  let before = Number.NEGATIVE_INFINITY
  for (let i = 0; i < start.length; i++) {
    const t = start[i]! // i < length
    const value = Number.isNaN(score[i]!) ? null : score[i]!
    const at = Math.floor((t - span.fromMs) / width)
    const last = points.at(-1)
    if (t - before > 2000 * everySeconds && last !== undefined) points.push({ t: before + 1, score: null })
    before = t
    if (at !== pixel || last === undefined) points.push({ t, score: value })
    else if (value !== null && (last.score === null || value > last.score)) {
      last.score = value
      last.t = t
    }
    pixel = at
  }
  return points
}

function highest(score: Float64Array): number {
  let most = 0
  for (const value of score) if (value > most) most = value
  return most
}

/** 0, 1 and powers of ten up to the top, which the symmetric logarithm spaces evenly. */
function scoreTicks(top: number): number[] {
  const ticks = [0, 1]
  for (let tick = 10; tick <= top; tick *= 10) ticks.push(tick)
  if (top < 10) ticks.push(Math.floor(top))
  return [...new Set(ticks)]
}
