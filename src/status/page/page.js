// @ts-check
/** Keeps a copy of the daemon's status up to date and draws it. */

import { readAddress, writeAddress } from './address.js'
import { drawAlarms } from './alarms.js'
import { drawDaemon } from './daemon.js'
import { drawFilter, focusFind, isFiltered, matches, startFilter } from './filter.js'
import { byId, byName, el, number, span, timeOfDay, when } from './format.js'
import { follow, getJson } from './live.js'
import { drawHighest, drawMessage, drawNode } from './panel.js'
import { drawRacks, fadeOthers, focusNode, markSelected, startRacks } from './racks.js'

/** @typedef {import('../store.ts').StatusDocument} StatusDocument */
/** @typedef {import('../store.ts').NodeStatus} NodeStatus */
/** @typedef {import('../../detect/records.ts').AlarmRecord} AlarmRecord */

/** As many alarms as the daemon keeps. */
const ALARMS = 500

/** @type {Map<string, NodeStatus>} */
const nodes = new Map()
/** Newest first. @type {AlarmRecord[]} */
let alarms = []
/** @type {StatusDocument | null} */
let status = null
/** When the daemon was heard last. @type {Date | null} */
let heard = null
const shown = readAddress()
const help = /** @type {HTMLDialogElement} */ (byId('help'))

startRacks((node) => show(node === shown.node ? null : node))
startFilter(shown, filterChanged, () => {
  const [first] = wanted().sort((a, b) => byName(a.node, b.node))
  if (first !== undefined) show(first.node)
})
byId('close').addEventListener('click', () => show(null))
byId('daemon').addEventListener('click', () => show(null, shown.view === 'daemon' ? null : 'daemon'))
byId('clear').addEventListener('click', clearFilter)
byId('keys').addEventListener('click', () => help.showModal())
addEventListener('keydown', onKey)
addEventListener('hashchange', () => {
  Object.assign(shown, readAddress())
  filterChanged()
  drawPanel()
})
drawPanel()
follow({ cursor: () => status?.cursor ?? '', onDocument: apply, onSilence: disconnected })

/** Takes what is new and draws it. @param {StatusDocument} document */
function apply(document) {
  status = document
  if (document.complete) {
    nodes.clear()
    alarms = []
  }
  for (const node of document.nodes) nodes.set(node.node, node)
  alarms = [...document.alarms, ...alarms].slice(0, ALARMS)
  connected()
  const changed = document.nodes.map((n) => n.node)
  if (changed.length > 0 || document.complete) {
    drawRacks(nodes, changed)
    drawFiltered()
  }
  if (changed.length > 0 || document.alarms.length > 0 || document.complete)
    drawAlarms(nodes.values(), alarms, show)
  if (document.complete || changed.includes(shown.node ?? '')) drawPanel()
  else if (shown.node === null && (changed.length > 0 || shown.view === 'daemon')) drawPanel()
  drawFacts(document)
}

function connected() {
  heard = new Date()
  const link = byId('link')
  link.className = 'link up'
  link.textContent = `live, ${timeOfDay(heard)}`
}

function disconnected() {
  const link = byId('link')
  link.className = 'link down'
  link.textContent = 'unreachable'
  document.body.classList.add('stale')
  const last = heard === null ? 'It has not answered yet.' : `What is shown is from ${timeOfDay(heard)}.`
  notice(`The daemon can not be reached. ${last} Trying again.`, 'error')
}

/** @param {string | null} text @param {'error' | 'warning'} [level] */
function notice(text, level = 'warning') {
  const box = byId('notice')
  box.hidden = text === null
  box.className = `notice ${level}`
  if (box.textContent !== text) box.textContent = text
}

/** @param {StatusDocument} document */
function drawFacts({ daemon, time }) {
  const { model } = daemon
  const dropped = Object.values(daemon.drops).reduce((a, b) => a + b, 0)
  /** @type {[string, string, string][]} name, value, tooltip */
  const facts = [
    ['model', model === null ? 'none' : model.version, model?.path ?? ''],
    ['model age', model === null ? '–' : span((Date.parse(time) - Date.parse(model.trained_to)) / 1000), ''],
    ['lag', daemon.lag === null ? '–' : `${daemon.lag.toLocaleString('en')}`, 'records not read yet'],
    ['samples/s', number(Math.round(daemon.samples_per_second)), 'mean of the last 10 s'],
    ['dropped', number(dropped), 'by reason under Daemon'],
    ['watermark', when(daemon.watermark), daemon.watermark ?? 'no window closed yet'],
    ['up', span(daemon.uptime), `since ${daemon.started}, version ${daemon.version}`],
  ]
  byId('facts').replaceChildren(
    ...facts.map(([name, value, title]) => el('div', { title }, el('dt', {}, name), el('dd', {}, value))),
  )
  const problem = problemOf(daemon)
  document.body.classList.toggle('stale', daemon.stalled !== null || daemon.silent_since !== null)
  notice(problem ?? learning())
  byId('empty').hidden = nodes.size > 0
  byId('racks').hidden = nodes.size === 0
  byId('empty-detail').textContent =
    daemon.samples_per_second > 0
      ? 'Samples are coming in; nodes appear when their first window closes.'
      : 'Nodes appear when their first window closes. No sample has come in the last seconds.'
}

/** @param {StatusDocument['daemon']} daemon */
function problemOf(daemon) {
  if (daemon.stalled !== null) return `The daemon stands still: ${daemon.stalled}. Restart it.`
  if (daemon.silent_since !== null)
    return `No input at all since ${when(daemon.silent_since)}: what is shown is old. Is the source down?`
  return daemon.ready ? null : `The daemon is not ready: ${daemon.reason ?? 'no reason given'}.`
}

function learning() {
  const all = nodes.size > 0 && [...nodes.values()].every((n) => n.state === 'learning')
  return all ? 'All nodes are learning: their first windows raise no alarm.' : null
}

function wanted() {
  return [...nodes.values()].filter((node) => matches(node, shown))
}

/** Map, counts and the line that tells what the filter leaves. */
function drawFiltered() {
  const counts = drawFilter(shown, nodes.values())
  fadeOthers(nodes, (node) => matches(node, shown))
  const filtered = isFiltered(shown)
  byId('clear').hidden = !filtered
  byId('matching').textContent = filtered ? `${wanted().length} of ${nodes.size}` : ''
  const anomalous = counts.get('anomalous') ?? 0
  document.title = anomalous > 0 ? `(${anomalous}) examon-dec` : 'examon-dec'
}

function filterChanged() {
  writeAddress(shown)
  drawFiltered()
  if (shown.node === null && shown.view === null) drawPanel()
}

function clearFilter() {
  shown.states.clear()
  Object.assign(shown, { rack: '', mode: '', find: '' })
  filterChanged()
}

/** Opens the panel of a node or another view, or the list of the highest scores. @param {string | null} node @param {string | null} [view] */
function show(node, view = null) {
  const before = shown.node
  shown.node = node
  shown.view = view
  writeAddress(shown)
  drawPanel()
  if (node === null && before !== null) focusNode(before)
}

async function drawPanel() {
  const { node, view } = shown
  byId('close').hidden = node === null && view === null
  byId('daemon').setAttribute('aria-pressed', String(view === 'daemon'))
  markSelected(node)
  if (node !== null) return drawNodeOf(node)
  const panel = byId('detail')
  // What is drawn each second must not take the focus from a button in it.
  const busy = panel.contains(document.activeElement) && view === panel.dataset.view
  panel.dataset.view = view ?? ''
  if (busy) return
  if (view === 'daemon' && status !== null) drawDaemon(status, [...nodes.values()], show)
  else drawHighest(wanted(), show)
}

/** @param {string} node */
async function drawNodeOf(node) {
  try {
    const detail = await getJson(`api/nodes/${encodeURIComponent(node)}`)
    if (node === shown.node) drawNode(detail, status?.daemon.node_link ?? null)
  } catch {
    if (node !== shown.node) return
    drawMessage(node, nodes.has(node) ? 'The daemon can not be reached.' : 'No window of this node has closed.')
  }
}

/** From the chosen node to the next that is in alarm or about to be. @param {number} by */
function step(by) {
  const hot = [...nodes.values()]
    .filter((n) => n.state === 'anomalous' || n.state === 'pending')
    .sort((a, b) => Number(b.state === 'anomalous') - Number(a.state === 'anomalous') || byName(a.node, b.node))
  const at = hot.findIndex((n) => n.node === shown.node)
  const next = hot[at < 0 ? 0 : (at + by + hot.length) % hot.length]
  if (next !== undefined) show(next.node)
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (help.open || event.ctrlKey || event.metaKey || event.altKey) return
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement
  if (event.key === 'Escape') {
    if (typing) {
      event.target.blur()
      if (event.target instanceof HTMLInputElement) clearFilter()
    } else if (shown.node !== null || shown.view !== null) show(null)
    else clearFilter()
    return
  }
  if (typing) return
  /** @type {Record<string, () => void>} */
  const keys = {
    '/': focusFind,
    n: () => step(1),
    p: () => step(-1),
    d: () => show(null, 'daemon'),
    '?': () => help.showModal(),
  }
  const act = keys[event.key]
  if (act === undefined) return
  event.preventDefault()
  act()
}
