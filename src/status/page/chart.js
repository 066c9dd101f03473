// @ts-check
/** The last windows of a node: scores as a line over the threshold, below it state and mode as bands. */

import { number, scoreText, STATES, svg, when } from './format.js'

/** @typedef {import('../store.ts').NodeDocument} NodeDocument */
/** @typedef {import('../ring.ts').HistoryPoint} HistoryPoint */

/** Size of the chart, in its own units; the style sheet scales it. */
const CHART = { width: 520, height: 222, left: 40, right: 60, top: 8, bottom: 52 }
/** Bands below the plot, from its lower edge: state, then mode. */
const BAND = { state: 5, mode: 20, height: 13 }
/** Ticks of the score axis that may be shown. */
const TICKS = [0, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
/** Width of a letter in a band; a label that has no room is left out. */
const LETTER = 6.2
/** Shades of the mode band; modes beyond share them, the number tells. */
const MODE_SHADES = 6

/**
 * The axis is log2(1 + score): zero is zero, the threshold stands out, and a score of 50 does not press everything
 * else flat. Windows stand at equal distances.
 * @param {NodeDocument} node
 */
export function drawChart({ node, history }) {
  const { width, height, left, right, top, bottom } = CHART
  const floor = height - bottom
  const scores = history.map((h) => h.score ?? 0)
  const highest = Math.log2(1 + Math.max(2, ...scores))
  const step = (width - left - right) / Math.max(1, history.length)
  /** Middle of a window. @param {number} i */
  const x = (i) => left + (i + 0.5) * step
  /** @param {number} score */
  const y = (score) => floor - (Math.log2(1 + score) / highest) * (floor - top)

  const axis = TICKS.filter((t) => Math.log2(1 + t) <= highest * 1.001).map((t) =>
    svg(
      'g',
      { class: t === 1 ? 'tick threshold' : 'tick' },
      svg('line', { x1: left, x2: width - right, y1: y(t), y2: y(t) }),
      svg('text', { x: left - 6, y: y(t) + 3.5, 'text-anchor': 'end' }, t === 1 ? '1.0' : String(t)),
    ),
  )
  const spans = runs(history, (h) => (h.state === 'anomalous' ? h.state : null)).map(({ from, to }) =>
    svg('rect', {
      class: 'alarm-span',
      x: left + from * step,
      y: top,
      width: (to - from) * step,
      height: floor - top,
    }),
  )
  /** @param {number} at @param {string} name */
  const bandName = (at, name) =>
    svg('text', { x: left - 6, y: floor + at + 10, 'text-anchor': 'end' }, name)
  /** @param {{ from: number, to: number, of: string | number }} run @param {number} at @param {string} name @param {string} label */
  const band = ({ from, to, of }, at, name, label) => {
    const wide = (to - from) * step
    return svg(
      'g',
      { class: name === 'mode' ? `band mode shade${Number(of) % MODE_SHADES}` : `band ${of}` },
      svg('rect', { x: left + from * step, y: floor + at, width: Math.max(0.5, wide - 0.5), height: BAND.height }),
      ...(label.length * LETTER < wide
        ? [svg('text', { x: left + from * step + wide / 2, y: floor + at + 10, 'text-anchor': 'middle' }, label)]
        : []),
      svg(
        'title',
        {},
        `${name} ${of}, windows to ${when(history[from]?.window_end ?? null)} – ${when(history[to - 1]?.window_end ?? null)}`,
      ),
    )
  }
  const path = history
    .map((h, i) =>
      h.score === null ? '' : `${(history[i - 1]?.score ?? null) !== null ? 'L' : 'M'}${x(i)} ${y(h.score)}`,
    )
    .join('')
  const marks = history.map((h, i) =>
    svg(
      'g',
      {},
      h.score === null
        ? svg('path', { class: 'gap', d: `M${x(i)} ${floor}v-6` })
        : svg('circle', {
            class: h.score >= 1 ? 'point over' : 'point',
            cx: x(i),
            cy: y(h.score),
            r: h.score >= 1 ? 2.8 : 1.6,
          }),
      svg(
        'rect',
        { class: 'hit', x: x(i) - step / 2, y: top, width: step, height: floor - top },
        svg('title', {}, describe(h)),
      ),
    ),
  )
  const anomalous = history.filter((h) => h.state === 'anomalous').length
  return svg(
    'svg',
    {
      class: 'chart',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label':
        `Scores of the last ${history.length} windows of ${node}: highest ${scoreText(Math.max(...scores))}, ` +
        `in alarm for ${anomalous} windows`,
    },
    ...spans,
    ...axis,
    svg('text', { class: 'threshold-name', x: width - right + 5, y: y(1) + 3.5 }, 'threshold'),
    svg('path', { class: 'line', d: path }),
    ...marks,
    bandName(BAND.state, 'state'),
    ...runs(history, (h) => h.state).map((run) =>
      band(run, BAND.state, 'state', `${STATES[/** @type {keyof typeof STATES} */ (run.of)].glyph} ${run.of}`.trim()),
    ),
    bandName(BAND.mode, 'mode'),
    ...runs(history, (h) => h.mode).map((run) => band(run, BAND.mode, 'mode', String(run.of))),
    svg('text', { class: 'time', x: left, y: height - 4 }, when(history[0]?.window_end ?? null)),
    svg(
      'text',
      { class: 'time', x: width - right, y: height - 4, 'text-anchor': 'end' },
      when(history.at(-1)?.window_end ?? null),
    ),
  )
}

/** @param {HistoryPoint} point */
function describe({ window_end, score, state, mode }) {
  const modeText = mode === null ? '' : `, mode ${number(mode)}`
  return `${when(window_end)}: ${scoreText(score)}, ${state}${modeText}`
}

/**
 * Stretches of equal values, null left out; `to` is one behind the last.
 * @template {string | number} T
 * @param {readonly HistoryPoint[]} history @param {(point: HistoryPoint) => T | null} of
 */
function runs(history, of) {
  /** @type {{ from: number, to: number, of: T }[]} */
  const found = []
  history.forEach((point, i) => {
    const value = of(point)
    const last = found.at(-1)
    if (value === null) return
    if (last !== undefined && last.to === i && last.of === value) last.to = i + 1
    else found.push({ from: i, to: i + 1, of: value })
  })
  return found
}
