// @ts-check
/** The panel of one node: its state, its scores as a line, and the metrics that carry the last score. */

import { drawChart } from './chart.js'
import { byId, el, number, percent, scoreClass, scoreText, STATES, table, when } from './format.js'

/** @typedef {import('../store.ts').NodeDocument} NodeDocument */
/** @typedef {import('../store.ts').NodeStatus} NodeStatus */

/** Nodes that the list shows while none is chosen. */
const LISTED = 7

const root = byId('detail')
const title = byId('detail-title')

/** @param {NodeDocument} node @param {string | null} link where the site shows nodes, with places to fill in */
export function drawNode(node, link) {
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
          el('span', { class: 'quiet' }, `since ${when(node.since)}`),
          ...(link === null ? [] : [siteLink(node, link)]),
        ),
        drawChart(node),
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

/** @param {NodeDocument} node @param {string} link */
function siteLink({ node, rack, window_end, history }, link) {
  const from = Date.parse(history[0]?.window_end ?? window_end)
  /** @type {Record<string, string>} */
  const places = { node, rack: rack ?? '', from: String(from), to: String(Date.parse(window_end)) }
  const href = link.replace(/\{(node|rack|from|to)\}/g, (_, name) => encodeURIComponent(places[name] ?? ''))
  return el('a', { href, class: 'site', target: '_blank', rel: 'noreferrer' }, 'Open dashboard')
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
      el('td', { class: 'num' }, direction(c.observed, c.expected), number(c.expected)),
      el('td', { class: 'num' }, bar, el('span', { class: 'percent' }, percent(c.share))),
    )
  })
  return table(['metric', 'observed', 'expected', 'share'], [1, 2, 3], rows)
}

/** Whether what was seen is above or below what was expected. @param {number | null} observed @param {number | null} expected */
function direction(observed, expected) {
  if (observed === null || expected === null || observed === expected) return ''
  const above = observed > expected
  return el('span', { class: 'direction', title: above ? 'more than expected' : 'less than expected' }, above ? '> ' : '< ')
}
