// @ts-check
/** What is in alarm now and what changed last; nodes of a rack that went together are one line. */

import { byId, el, scoreText, STATES, when } from './format.js'
import { changeOf, inAlarm, rollUp } from './roll-up.js'

/** @typedef {import('../store.ts').NodeStatus} NodeStatus */
/** @typedef {import('../../detect/records.ts').AlarmRecord} AlarmRecord */
/** @typedef {import('./roll-up.js').Change} Change */

/** What each list shows. @type {WeakMap<HTMLElement, string>} */
const contents = new WeakMap()

/**
 * @param {Iterable<NodeStatus>} nodes @param {readonly AlarmRecord[]} alarms newest first
 * @param {(node: string) => void} select
 */
export function drawAlarms(nodes, alarms, select) {
  fill(byId('now'), inAlarm(nodes), 'No node is in alarm.', select)
  fill(byId('alarms'), alarms.map(changeOf), 'No node has changed since the daemon started.', select)
}

/**
 * @param {HTMLElement} list @param {readonly Change[]} changes @param {string} nothing
 * @param {(node: string) => void} select
 */
function fill(list, changes, nothing, select) {
  // The same content stays as it is: an open group keeps open, focus stays.
  const content = JSON.stringify(changes)
  if (contents.get(list) === content) return
  contents.set(list, content)
  const open = new Set([...list.querySelectorAll('details[open]')].map((d) => d.getAttribute('data-key')))
  const lines = rollUp(changes).map(({ title, changes: group }) => {
    const [change] = group
    if (change === undefined) return el('li')
    if (group.length === 1) return el('li', { class: 'line' }, ...line(change, button(change.node, select)))
    const key = `${title} ${change.at} ${change.state}`
    const details = el(
      'details',
      { 'data-key': key },
      el('summary', { class: 'line' }, ...line({ ...change, score: null, first: '' }, el('strong', {}, title))),
      el('p', { class: 'members' }, ...group.flatMap(({ node }) => [button(node, select), ' '])),
    )
    details.open = open.has(key)
    return el('li', {}, details)
  })
  list.replaceChildren(...(lines.length === 0 ? [el('li', { class: 'quiet' }, nothing)] : lines))
}

/** @param {Change} change @param {HTMLElement} who */
function line({ at, state, from, score, first }, who) {
  const what = score !== null ? scoreText(score) : from === null ? '' : `from ${from}`
  return [
    el('time', { datetime: at, title: at }, when(at)),
    who,
    el('span', { class: `badge ${state}` }, `${STATES[state].glyph} ${state}`.trim()),
    el('span', { class: 'quiet' }, what),
    el('span', { class: 'metric quiet', title: first }, first),
  ]
}

/** @param {string} node @param {(node: string) => void} select */
function button(node, select) {
  const open = el('button', { type: 'button', class: 'open' }, node)
  open.addEventListener('click', () => select(node))
  return open
}
