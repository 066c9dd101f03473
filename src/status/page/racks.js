// @ts-check
/** The map of the machine: one column a rack, one cell a node. */

import { BINS, byId, byName, el, scoreClass, scoreText, STATES, when } from './format.js'

/** @typedef {import('../store.ts').NodeStatus} NodeStatus */

/** Nodes whose rack is not known stand in columns of this many. */
const COLUMN = 20
/** Cells, px: below the least nothing can be hit, above the greatest the map looks empty. */
const CELL = { least: 9, greatest: 30 }
/** From this width of a column on, px, a cell has room for the name and score of its node. */
const NAMED = 118
const GAP = 2

const root = byId('racks')
/** @type {Map<string, HTMLButtonElement>} */
const cells = new Map()
/** Columns of cells, left to right, for the arrow keys. @type {HTMLButtonElement[][]} */
let columns = []
/** Which nodes stand where, as one string; only when it changes are the columns built anew. */
let layout = ''

/** @type {(node: string) => void} */
let select = () => {}

/** @param {(node: string) => void} onSelect called with the node that was clicked */
export function startRacks(onSelect) {
  select = onSelect
  root.addEventListener('keydown', moveFocus)
  new ResizeObserver(fit).observe(root)
  drawLegend()
}

/**
 * Draws all nodes. Cells are kept, so that focus stays where it is.
 * @param {ReadonlyMap<string, NodeStatus>} nodes @param {Iterable<string>} changed names of those to paint again
 */
export function drawRacks(nodes, changed) {
  /** @type {Map<string, string[]>} */
  const racks = new Map()
  const loose = []
  for (const { node, rack } of nodes.values()) {
    if (rack === null) loose.push(node)
    else if (racks.has(rack)) racks.get(rack)?.push(node)
    else racks.set(rack, [node])
  }
  const groups = [...racks].sort(([a], [b]) => byName(a, b))
  for (const [, names] of groups) names.sort(byName)
  loose.sort(byName)
  for (let i = 0; i < loose.length; i += COLUMN) groups.push(['', loose.slice(i, i + COLUMN)])
  const wanted = JSON.stringify(groups)
  if (wanted !== layout) build(groups, nodes)
  layout = wanted
  for (const name of changed) {
    const status = nodes.get(name)
    const cell = cells.get(name)
    if (status !== undefined && cell !== undefined) paint(cell, status)
  }
}

/** Marks the cell of the chosen node. @param {string | null} node */
export function markSelected(node) {
  root.querySelector('[aria-pressed="true"]')?.setAttribute('aria-pressed', 'false')
  if (node !== null) cells.get(node)?.setAttribute('aria-pressed', 'true')
}

/** @param {string} node */
export function focusNode(node) {
  cells.get(node)?.focus()
}

/** @param {[string, string[]][]} groups @param {ReadonlyMap<string, NodeStatus>} nodes */
function build(groups, nodes) {
  const focused =
    document.activeElement instanceof HTMLElement ? document.activeElement.dataset.node : undefined
  for (const name of cells.keys()) if (!nodes.has(name)) cells.delete(name)
  columns = groups.map(([, names]) => names.map((name) => cells.get(name) ?? newCell(name)))
  root.replaceChildren(
    ...groups.map(([rack], i) =>
      el(
        'div',
        { class: 'rack', role: 'group', 'aria-label': rack === '' ? 'rack not known' : `rack ${rack}` },
        el('span', { class: 'rack-name', title: rack === '' ? 'rack not known' : rack }, rackLabel(rack)),
        ...(columns[i] ?? []),
      ),
    ),
  )
  const reachable = columns[0]?.[0]
  if (reachable !== undefined && root.querySelector('[tabindex="0"]') === null) reachable.tabIndex = 0
  if (focused !== undefined) focusNode(focused)
  fit()
}

/** Narrow columns have room for the number of a rack only. @param {string} rack */
function rackLabel(rack) {
  return /\d+$/.exec(rack)?.[0] ?? (rack === '' ? '–' : rack)
}

/** @param {string} name */
function newCell(name) {
  const cell = el(
    'button',
    { type: 'button', class: 'cell', 'data-node': name, 'aria-pressed': 'false', tabindex: '-1' },
    el('span', { class: 'glyph', 'aria-hidden': 'true' }),
    el('span', { class: 'name' }, name),
    el('span', { class: 'score' }),
  )
  cell.addEventListener('click', () => select(name))
  cell.addEventListener('focus', () => {
    root.querySelector('[tabindex="0"]')?.setAttribute('tabindex', '-1')
    cell.tabIndex = 0
  })
  cells.set(name, cell)
  return cell
}

/** @param {HTMLButtonElement} cell @param {NodeStatus} status */
function paint(cell, { node, score, state, window_end }) {
  cell.className = `cell ${scoreClass(score)} ${state}`
  const [glyph, , text] = cell.children
  if (glyph) glyph.textContent = STATES[state].glyph
  if (text) text.textContent = score === null ? '–' : scoreText(score)
  const label = `${node}: ${score === null ? 'not scored' : `score ${scoreText(score)}`}, ${state}`
  cell.setAttribute('aria-label', label)
  cell.title = `${label}, window to ${when(window_end)}`
}

/** Makes the cells as large as the width and half the height of the screen allow. */
function fit() {
  const tallest = Math.max(1, ...columns.map((c) => c.length))
  const width = (root.clientWidth + GAP) / Math.max(1, columns.length) - GAP
  const height = (window.innerHeight * 0.5) / tallest - GAP
  const named = width >= NAMED
  root.classList.toggle('named', named)
  const w = named ? Math.min(width, 2 * NAMED) : Math.min(width, CELL.greatest)
  root.style.setProperty('--cell-w', `${Math.max(CELL.least, Math.floor(w))}px`)
  root.style.setProperty('--cell-h', `${Math.max(CELL.least, Math.floor(Math.min(height, CELL.greatest)))}px`)
}

/** Arrow keys walk over the map; Home and End along a rack. @param {KeyboardEvent} event */
function moveFocus(event) {
  const x = columns.findIndex((c) => c.some((cell) => cell === event.target))
  const y = columns[x]?.findIndex((cell) => cell === event.target) ?? -1
  if (y < 0) return
  const last = (columns[x]?.length ?? 1) - 1
  /** @type {Record<string, [number, number]>} */
  const moves = {
    ArrowLeft: [x - 1, y],
    ArrowRight: [x + 1, y],
    ArrowUp: [x, y - 1],
    ArrowDown: [x, y + 1],
    Home: [x, 0],
    End: [x, last],
  }
  const move = moves[event.key]
  if (move === undefined) return
  event.preventDefault()
  const column = columns[move[0]]
  column?.[Math.min(move[1], column.length - 1)]?.focus()
}

function drawLegend() {
  const scale = el('div', {
    class: 'scale',
    role: 'img',
    'aria-label': 'Colours of the score; 1.0 is the threshold',
  })
  BINS.forEach((from, i) => {
    const swatch = el('span', { class: `swatch bin${i}${from === 1 ? ' threshold' : ''}` })
    swatch.append(el('span', {}, from === 1 ? '1.0' : String(from)))
    scale.append(swatch)
  })
  byId('legend').append(
    el('span', { class: 'legend-name' }, 'score'),
    scale,
    el('span', { class: 'swatch unscored' }),
    el('span', { class: 'legend-name' }, 'not scored'),
  )
}
