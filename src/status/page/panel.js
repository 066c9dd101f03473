// @ts-check
/** The panel of one node: its state, its scores as a line, and the metrics that carry the last score. */

import { byId, el, number, percent, scoreClass, scoreText, STATES, svg, when } from './format.js'

/** @typedef {import('../store.ts').NodeDocument} NodeDocument */
/** @typedef {import('../store.ts').NodeStatus} NodeStatus */

/** Size of the chart, in its own units; the style sheet scales it. */
const CHART = { width: 520, height: 190, left: 30, right: 60, top: 8, bottom: 20 }
/** Ticks of the score axis that may be shown. */
const TICKS = [0, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
/** Nodes that the list shows while none is chosen. */
const LISTED = 7

const root = byId('detail')
const title = byId('detail-title')

/** @param {NodeDocument} node */
export function drawNode(node) {
  title.textContent = node.node
  root.replaceChildren(
    el(
      'div',
      { class: 'node' },
      el(
        'div',
        { class: 'node-left' },
        el(
          'p',
          { class: 'verdict' },
          el('span', { class: `badge ${node.state}` }, `${STATES[node.state].glyph} ${node.state}`.trim()),
          el('span', { class: 'big' }, scoreText(node.score)),
          el('span', { class: 'quiet' }, `${node.state} since ${when(node.since)}`),
        ),
        chart(node),
      ),
      el('div', { class: 'node-right' }, facts(node), contributions(node)),
    ),
  )
}

/** @param {string} node @param {string} text */
export function drawMessage(node, text) {
  title.textContent = node
  root.replaceChildren(el('p', { class: 'quiet' }, text))
}

/**
 * What stands in the panel while no node is chosen: the nodes to look at first.
 * @param {Iterable<NodeStatus>} nodes @param {(node: string) => void} select
 */
export function drawHighest(nodes, select) {
  title.textContent = 'Highest scores'
  const scored = [...nodes].filter((n) => n.score !== null)
  scored.sort((a, b) => Number(b.score) - Number(a.score))
  if (scored.length === 0) {
    root.replaceChildren(el('p', { class: 'quiet' }, 'No scored window yet.'))
    return
  }
  const rows = scored.slice(0, LISTED).map((n) => {
    const first = n.top[0]
    const open = el('button', { type: 'button', class: 'open' }, n.node)
    open.addEventListener('click', () => select(n.node))
    return el(
      'tr',
      {},
      el('td', {}, open),
      el('td', { class: 'num' }, el('span', { class: `dot ${scoreClass(n.score)}` }), scoreText(n.score)),
      el('td', {}, `${STATES[n.state].glyph} ${n.state}`.trim()),
      el('td', {}, when(n.window_end)),
      el('td', { class: 'metric' }, first === undefined ? '–' : `${first.statistic}:${first.metric}`),
    )
  })
  root.replaceChildren(table(['node', 'score', 'state', 'window to', 'mostly by'], [1], rows))
}

/** @param {string[]} heads @param {number[]} numeric columns that hold numbers @param {HTMLElement[]} rows */
function table(heads, numeric, rows) {
  const head = heads.map((h, i) =>
    el('th', numeric.includes(i) ? { scope: 'col', class: 'num' } : { scope: 'col' }, h),
  )
  return el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows))
}

/** @param {NodeDocument} node */
function facts(node) {
  /** @type {[string, string][]} */
  const pairs = [
    ['rack', node.rack ?? 'not known'],
    ['mode', node.mode === null ? '–' : `${node.mode} (q ${number(node.q)})`],
    ['p', number(node.p)],
    ['coverage', percent(node.coverage)],
    ['window to', when(node.window_end)],
    ['model', node.model],
  ]
  return el(
    'dl',
    { class: 'facts' },
    ...pairs.map(([name, v]) => el('div', {}, el('dt', {}, name), el('dd', {}, v))),
  )
}

/** @param {NodeDocument} node */
function contributions({ top }) {
  if (top.length === 0) return el('p', { class: 'quiet' }, 'The last window was not scored.')
  const rows = top.map((c) => {
    const bar = el('span', { class: 'share' })
    bar.style.setProperty('--share', String(c.share))
    return el(
      'tr',
      {},
      el('td', { class: 'metric' }, `${c.statistic}:${c.metric}`),
      el('td', { class: 'num' }, number(c.observed)),
      el('td', { class: 'num' }, number(c.expected)),
      el('td', { class: 'num' }, bar, el('span', { class: 'percent' }, percent(c.share))),
    )
  })
  return table(['metric', 'observed', 'expected', 'share'], [1, 2, 3], rows)
}

/**
 * Scores over time. The axis is log2(1 + score): zero is zero, the threshold stands out, and a score of 50 does
 * not press everything else flat.
 * @param {NodeDocument} node
 */
function chart({ node, history }) {
  const { width, height, left, right, top, bottom } = CHART
  const scores = history.map((h) => h.score ?? 0)
  const highest = Math.log2(1 + Math.max(2, ...scores))
  const times = history.map((h) => Date.parse(h.window_end))
  const from = times[0] ?? 0
  const to = Math.max(from + 1, times.at(-1) ?? 1)
  /** @param {number} t */
  const x = (t) => left + ((t - from) / (to - from)) * (width - left - right)
  /** @param {number} score */
  const y = (score) => height - bottom - (Math.log2(1 + score) / highest) * (height - top - bottom)

  const ticks = TICKS.filter((t) => Math.log2(1 + t) <= highest * 1.001)
  const axis = ticks.map((t) =>
    svg(
      'g',
      { class: t === 1 ? 'tick threshold' : 'tick' },
      svg('line', { x1: left, x2: width - right, y1: y(t), y2: y(t) }),
      svg('text', { x: left - 6, y: y(t) + 3.5, 'text-anchor': 'end' }, t === 1 ? '1.0' : String(t)),
    ),
  )
  const points = history.map((h, i) => ({ ...h, x: x(/** @type {number} */ (times[i])) }))
  const path = points
    .map((p, i) =>
      p.score === null ? '' : `${i > 0 && points[i - 1]?.score !== null ? 'L' : 'M'}${p.x} ${y(p.score)}`,
    )
    .join('')
  const half = points.length > 1 ? (width - left - right) / (points.length - 1) / 2 : 20
  const marks = points.map((p) =>
    svg(
      'g',
      {},
      p.score === null
        ? svg('path', { class: 'gap', d: `M${p.x} ${height - bottom}v-6` })
        : svg('circle', {
            class: p.score >= 1 ? 'point over' : 'point',
            cx: p.x,
            cy: y(p.score),
            r: p.score >= 1 ? 2.8 : 1.6,
          }),
      svg(
        'rect',
        { class: 'hit', x: p.x - half, y: top, width: 2 * half, height: height - top - bottom },
        svg(
          'title',
          {},
          `${when(p.window_end)}: ${scoreText(p.score)}, ${p.state}${p.mode === null ? '' : `, mode ${p.mode}`}`,
        ),
      ),
    ),
  )
  return svg(
    'svg',
    {
      class: 'chart',
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': `Scores of the last ${history.length} windows of ${node}; highest ${scoreText(Math.max(...scores))}`,
    },
    svg('rect', {
      class: 'over-area',
      x: left,
      y: top,
      width: width - left - right,
      height: Math.max(0, y(1) - top),
    }),
    ...axis,
    svg('text', { class: 'threshold-name', x: width - right + 5, y: y(1) + 3.5 }, 'threshold'),
    svg('text', { class: 'time', x: left, y: height - 5 }, when(history[0]?.window_end ?? null)),
    svg(
      'text',
      { class: 'time', x: width - right, y: height - 5, 'text-anchor': 'end' },
      when(history.at(-1)?.window_end ?? null),
    ),
    svg('path', { class: 'line', d: path }),
    ...marks,
  )
}
