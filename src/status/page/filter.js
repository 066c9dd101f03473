// @ts-check
/** Which nodes are asked for: by state, rack, mode and a word of the name. */

import { byId, byName, el, STATES } from './format.js'

/** @typedef {import('../store.ts').NodeStatus} NodeStatus */
/** @typedef {import('./address.js').Shown} Shown */
/** @typedef {Pick<Shown, 'states' | 'rack' | 'mode' | 'find'>} Filter */

const find = /** @type {HTMLInputElement} */ (byId('find'))
const rack = /** @type {HTMLSelectElement} */ (byId('rack'))
const mode = /** @type {HTMLSelectElement} */ (byId('mode'))

/** @param {Filter} filter */
export function isFiltered(filter) {
  return filter.states.size > 0 || filter.rack !== '' || filter.mode !== '' || filter.find !== ''
}

/** @param {NodeStatus} node @param {Filter} filter */
export function matches(node, { states, rack, mode, find }) {
  return (
    (states.size === 0 || states.has(node.state)) &&
    (rack === '' || node.rack === rack) &&
    (mode === '' || String(node.mode) === mode) &&
    node.node.toLowerCase().includes(find.toLowerCase())
  )
}

/**
 * @param {Filter} filter changed in place
 * @param {() => void} changed @param {() => void} entered Enter in the search
 */
export function startFilter(filter, changed, entered) {
  find.addEventListener('input', () => {
    filter.find = find.value.trim()
    changed()
  })
  find.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') entered()
  })
  rack.addEventListener('change', () => {
    filter.rack = rack.value
    changed()
  })
  mode.addEventListener('change', () => {
    filter.mode = mode.value
    changed()
  })
  byId('states').append(
    ...Object.entries(STATES).map(([state, { glyph, meaning }]) => {
      const button = el(
        'button',
        { type: 'button', class: `state ${state}`, 'data-state': state, title: meaning },
        el('span', { class: 'glyph', 'aria-hidden': 'true' }, glyph),
        el('strong', {}, '0'),
        ` ${state}`,
      )
      button.addEventListener('click', () => {
        if (!filter.states.delete(state)) filter.states.add(state)
        changed()
      })
      return el('li', {}, button)
    }),
  )
}

/** Shows the filter and what there is to choose. @param {Filter} filter @param {Iterable<NodeStatus>} nodes */
export function drawFilter(filter, nodes) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  const racks = new Set()
  const modes = new Set()
  for (const node of nodes) {
    counts.set(node.state, (counts.get(node.state) ?? 0) + 1)
    if (node.rack !== null) racks.add(node.rack)
    if (node.mode !== null) modes.add(String(node.mode))
  }
  for (const button of byId('states').querySelectorAll('button')) {
    const state = button.dataset.state ?? ''
    const n = counts.get(state) ?? 0
    button.classList.toggle('none', n === 0)
    button.setAttribute('aria-pressed', String(filter.states.has(state)))
    const count = button.querySelector('strong')
    if (count !== null) count.textContent = n.toLocaleString('en')
  }
  offer(rack, 'all racks', racks, filter.rack, (name) => `rack ${name}`)
  offer(mode, 'all modes', modes, filter.mode, (name) => `mode ${name}`)
  if (find.value.trim() !== filter.find) find.value = filter.find
  return counts
}

export function focusFind() {
  find.focus()
  find.select()
}

/**
 * @param {HTMLSelectElement} select @param {string} all @param {Set<string>} names
 * @param {string} chosen @param {(name: string) => string} label
 */
function offer(select, all, names, chosen, label) {
  const wanted = ['', ...[...new Set([...names, ...(chosen === '' ? [] : [chosen])])].sort(byName)]
  const given = [...select.options].map((o) => o.value)
  if (JSON.stringify(given) !== JSON.stringify(wanted)) {
    select.replaceChildren(
      ...wanted.map((name) => el('option', { value: name }, name === '' ? all : label(name))),
    )
  }
  select.value = chosen
}
