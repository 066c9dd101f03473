// @ts-check
/** Keeps a copy of `/api/status` up to date and draws it. All addresses are relative: a path prefix is no matter. */

import { byId, el, number, scoreText, span, STATES, timeOfDay, when } from './format.js'
import { drawHighest, drawMessage, drawNode } from './panel.js'
import { drawRacks, focusNode, markSelected, startRacks } from './racks.js'

/** @typedef {import('../store.ts').StatusDocument} StatusDocument */
/** @typedef {import('../store.ts').NodeStatus} NodeStatus */
/** @typedef {import('../../detect/records.ts').AlarmRecord} AlarmRecord */

const POLL_MS = 2000
/** An answer that takes longer counts as none. */
const TIMEOUT_MS = 5000
/** As many alarms as the daemon keeps. */
const ALARMS = 200

/** @type {Map<string, NodeStatus>} */
const nodes = new Map()
/** Newest first. @type {AlarmRecord[]} */
let alarms = []
let cursor = ''
/** @type {string | null} */
let selected = null
/** When the last answer came. @type {Date | null} */
let heard = null

startRacks((node) => select(node === selected ? null : node))
byId('close').addEventListener('click', () => select(null))
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') select(null)
})
addEventListener('hashchange', () => select(nodeOfHash()))
selected = nodeOfHash()
poll()

async function poll() {
  if (!document.hidden) {
    try {
      const { complete } = apply(await getJson(`api/status?after=${encodeURIComponent(cursor)}`))
      connected()
      if (complete && selected !== null) await showNode()
    } catch (error) {
      disconnected(error)
    }
  }
  setTimeout(poll, POLL_MS)
}

/** @param {string} path */
async function getJson(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`)
  return response.json()
}

/** Takes what is new and draws it. @param {StatusDocument} document @returns {StatusDocument} */
function apply(document) {
  if (document.complete) {
    nodes.clear()
    alarms = []
  }
  cursor = document.cursor
  for (const node of document.nodes) nodes.set(node.node, node)
  if (document.alarms.length > 0 || document.complete) {
    alarms = [...document.alarms, ...alarms].slice(0, ALARMS)
    drawAlarms()
  }
  if (document.nodes.length > 0 || document.complete) {
    drawRacks(
      nodes,
      document.nodes.map((n) => n.node),
    )
    drawStates()
    if (selected === null) drawHighest(nodes.values(), select)
    else if (!document.complete && document.nodes.some((n) => n.node === selected)) showNode()
  }
  drawFacts(document)
  return document
}

function connected() {
  heard = new Date()
  const link = byId('link')
  link.className = 'link up'
  link.textContent = `live, ${timeOfDay(heard)}`
}

/** @param {unknown} error */
function disconnected(error) {
  const link = byId('link')
  link.className = 'link down'
  link.textContent = 'unreachable'
  const reason = error instanceof Error ? error.message : String(error)
  const last = heard === null ? 'It has not answered yet.' : `What is shown is from ${timeOfDay(heard)}.`
  notice(
    `The daemon can not be reached (${reason}). ${last} Trying again every ${POLL_MS / 1000} s.`,
    'error',
  )
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
  const reasons = Object.entries(daemon.drops).filter(([, n]) => n > 0)
  /** @type {[string, string, string][]} name, value, tooltip */
  const facts = [
    [
      'model',
      model === null ? 'none' : model.version,
      model === null
        ? ''
        : `${model.path}\ntrained on ${model.nodes} nodes to ${model.trained_to}\n` +
          `${model.metrics} metrics, ${model.features} features, ${model.centres} centres`,
    ],
    ['model age', model === null ? '–' : span((Date.parse(time) - Date.parse(model.trained_to)) / 1000), ''],
    ['lag', daemon.lag === null ? '–' : `${daemon.lag.toLocaleString('en')}`, 'records not read yet'],
    ['samples/s', number(Math.round(daemon.samples_per_second)), 'mean of the last 10 s'],
    [
      'dropped',
      number(dropped),
      reasons.map(([reason, n]) => `${reason}: ${n}`).join('\n') || 'nothing dropped',
    ],
    ['watermark', when(daemon.watermark), daemon.watermark ?? 'no window closed yet'],
    ['up', span(daemon.uptime), `since ${daemon.started}, version ${daemon.version}`],
  ]
  byId('facts').replaceChildren(
    ...facts.map(([name, value, title]) => el('div', { title }, el('dt', {}, name), el('dd', {}, value))),
  )
  if (daemon.stalled !== null) notice(`The daemon stands still: ${daemon.stalled}. Restart it.`)
  if (daemon.silent_since !== null)
    notice(`No input at all since ${when(daemon.silent_since)}. Is the source down?`)
  else if (!daemon.ready) notice(`The daemon is not ready: ${daemon.reason ?? 'no reason given'}.`)
  else notice(null)

  byId('empty').hidden = nodes.size > 0
  byId('racks').hidden = nodes.size === 0
  byId('empty-detail').textContent =
    daemon.samples_per_second > 0
      ? 'Samples are coming in; nodes appear when their first window closes.'
      : 'Nodes appear when their first window closes. No sample has come in the last seconds.'
}

function drawStates() {
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { state } of nodes.values()) counts.set(state, (counts.get(state) ?? 0) + 1)
  byId('states').replaceChildren(
    ...Object.entries(STATES).map(([state, { glyph, meaning }]) =>
      el(
        'li',
        { class: `${state}${counts.has(state) ? '' : ' none'}`, title: meaning },
        el('span', { class: 'glyph', 'aria-hidden': 'true' }, glyph),
        el('strong', {}, String(counts.get(state) ?? 0)),
        ` ${state}`,
      ),
    ),
  )
  const anomalous = counts.get('anomalous') ?? 0
  document.title = anomalous > 0 ? `(${anomalous}) examon-dec` : 'examon-dec'
}

function drawAlarms() {
  const list = byId('alarms')
  if (alarms.length === 0) {
    list.replaceChildren(el('li', { class: 'quiet' }, 'None since the daemon started.'))
    return
  }
  list.replaceChildren(
    ...alarms.map((alarm) => {
      const open = el('button', { type: 'button', class: 'open' }, alarm.node)
      open.addEventListener('click', () => select(alarm.node))
      const first = alarm.top[0]
      return el(
        'li',
        {},
        el('time', { datetime: alarm.at, title: alarm.at }, when(alarm.at)),
        open,
        el('span', { class: `badge ${alarm.to}` }, `${STATES[alarm.to].glyph} ${alarm.to}`.trim()),
        el('span', { class: 'quiet' }, alarm.score === null ? `from ${alarm.from}` : scoreText(alarm.score)),
        el(
          'span',
          { class: 'metric quiet' },
          first === undefined ? '' : `${first.statistic}:${first.metric}`,
        ),
      )
    }),
  )
}

/** Opens the panel of a node, or closes it. @param {string | null} node */
function select(node) {
  const before = selected
  if (node === before) return
  selected = node
  history.replaceState(null, '', node === null ? '#' : `#node=${encodeURIComponent(node)}`)
  byId('close').hidden = node === null
  markSelected(node)
  if (node !== null) showNode()
  else {
    drawHighest(nodes.values(), select)
    if (before !== null) focusNode(before)
  }
}

async function showNode() {
  const node = selected
  if (node === null) return
  byId('close').hidden = false
  markSelected(node)
  try {
    const detail = await getJson(`api/nodes/${encodeURIComponent(node)}`)
    if (node === selected) drawNode(detail)
  } catch {
    if (node === selected && !nodes.has(node)) drawMessage(node, 'No window of this node has closed.')
    else if (node === selected) drawMessage(node, 'The daemon can not be reached.')
  }
}

/** The node that the address names, so that a dashboard can link to it. */
function nodeOfHash() {
  const match = /^#node=(.+)$/.exec(location.hash)
  return match?.[1] === undefined ? null : decodeURIComponent(match[1])
}
