// @ts-check
/** The panel of the daemon itself: model, input, what was dropped and why, coverage, who is muted. */

import { byId, byName, el, number, percent, span, table, when } from './format.js'

/** @typedef {import('../store.ts').StatusDocument} StatusDocument */
/** @typedef {import('../store.ts').NodeStatus} NodeStatus */

/** Coverage below this share is worth a look: a fifth of the samples is missing. */
const LOW_COVERAGE = 0.8
/** So many names of a list are written out. */
const NAMED = 60

/**
 * @param {StatusDocument} status @param {readonly NodeStatus[]} nodes
 * @param {(node: string) => void} select
 */
export function drawDaemon({ daemon, time }, nodes, select) {
  const { model } = daemon
  const covered = nodes.filter((n) => n.state !== 'silent').map((n) => n.coverage)
  const mean = covered.length === 0 ? null : covered.reduce((a, b) => a + b, 0) / covered.length
  byId('detail-title').textContent = 'Daemon'
  byId('detail').replaceChildren(
    el(
      'div',
      { class: 'daemon' },
      list('Model', [
        ['version', model === null ? 'none' : model.version],
        ['trained to', model === null ? '–' : when(model.trained_to)],
        ['age', model === null ? '–' : span((Date.parse(time) - Date.parse(model.trained_to)) / 1000)],
        ['trained on', model === null ? '–' : `${number(model.nodes)} nodes`],
        [
          'size',
          model === null ? '–' : `${model.metrics} metrics, ${model.features} features, ${model.centres} centres`,
        ],
        ['folder', model === null ? '–' : model.path],
      ]),
      list('Input', [
        ['samples/s', number(Math.round(daemon.samples_per_second))],
        ['lag', daemon.lag === null ? '–' : `${number(daemon.lag)} records`],
        ['partitions', number(daemon.partitions)],
        ['windows closed to', when(daemon.watermark)],
        ['mean coverage', percent(mean)],
        ['silent since', when(daemon.silent_since)],
      ]),
      list('Process', [
        ['version', daemon.version],
        ['started', when(daemon.started)],
        ['up', span(daemon.uptime)],
        ['ready', daemon.ready ? 'yes' : `no: ${daemon.reason ?? 'no reason given'}`],
        ['stalled', daemon.stalled ?? 'no'],
        ['nodes', number(nodes.length)],
      ]),
      el('div', {}, el('h3', {}, 'Dropped'), drops(daemon.drops)),
      names('Muted', nodes.filter((n) => n.state === 'muted').map((n) => n.node), select),
      names(
        `Coverage below ${percent(LOW_COVERAGE)}`,
        nodes.filter((n) => n.coverage < LOW_COVERAGE && n.state !== 'silent').map((n) => n.node),
        select,
      ),
    ),
  )
}

/** @param {string} title @param {[string, string][]} pairs */
function list(title, pairs) {
  const rows = pairs.map(([name, value]) => el('tr', {}, el('th', { scope: 'row' }, name), el('td', {}, value)))
  return el('div', {}, el('h3', {}, title), el('table', {}, el('tbody', {}, ...rows)))
}

/** @param {StatusDocument['daemon']['drops']} drops */
function drops(drops) {
  const rows = Object.entries(drops)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => el('tr', {}, el('td', {}, reason), el('td', { class: 'num' }, n.toLocaleString('en'))))
  if (rows.length === 0) return el('p', { class: 'quiet' }, 'Nothing.')
  return table(['reason', 'samples or records'], [1], rows)
}

/** @param {string} title @param {string[]} nodes @param {(node: string) => void} select */
function names(title, nodes, select) {
  const shown = nodes.sort(byName).slice(0, NAMED)
  const buttons = shown.flatMap((node) => {
    const open = el('button', { type: 'button', class: 'open' }, node)
    open.addEventListener('click', () => select(node))
    return [open, ' ']
  })
  const more = nodes.length > NAMED ? [`and ${number(nodes.length - NAMED)} more`] : []
  return el(
    'div',
    {},
    el('h3', {}, `${title}: ${number(nodes.length)}`),
    el('p', { class: 'members' }, ...buttons, ...more),
  )
}
