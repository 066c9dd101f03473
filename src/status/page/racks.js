// @ts-check
/** The map of the machine: one column a rack, one cell a node. */

import { BINS, byId, byName, el, scoreClass, scoreText, STATES, when } from './format.js'

/** @typedef {import('../store.ts').NodeStatus} NodeStatus */

/** Nodes whose rack is not known stand in columns of this many, and of more where that makes too many columns. */
const COLUMN = 20
/** Cells, px: below the least nothing can be hit, above the greatest the map looks empty. */
const CELL = { least: 5, greatest: 30 }
/** A cell of less height, px, has no room for a glyph. */
const GLYPH_FROM = 9
/** Columns that a rack may be split into. */
const MOST_SPLITS = 8
/** Share of the window's height that the map may take. */
const MAP_HEIGHT = 0.45
/** From this width of a column on, px, a cell has room for the name and score of its node. */
const NAMED = 118
/** Between cells, px; where there are many they need the room themselves. */
const GAP = { few: 2, many: 1 }
const MANY = 3000
/** Between racks, px. */
const RACK_GAP = { least: 4, greatest: 10 }

const root = byId('racks')
/** @type {Map<string, HTMLButtonElement>} */
const cells = new Map()
/** @type {HTMLButtonElement[][]} */
let racks = []
/** Columns of cells as they stand, left to right, for the arrow keys. @type {HTMLButtonElement[][]} */
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
  const named = new Map()
  const loose = []
  for (const { node, rack } of nodes.values()) {
    if (rack === null) loose.push(node)
    else if (named.has(rack)) named.get(rack)?.push(node)
    else named.set(rack, [node])
  }
  const groups = [...named].sort(([a], [b]) => byName(a, b))
  for (const [, names] of groups) names.sort(byName)
  loose.sort(byName)
  // Twice as wide as high.
  const column = Math.max(COLUMN, Math.ceil(Math.sqrt(loose.length / 2)))
  for (let i = 0; i < loose.length; i += column) groups.push(['', loose.slice(i, i + column)])
  const wanted = JSON.stringify(groups)
  if (wanted !== layout) build(groups, nodes)
  layout = wanted
  for (const name of changed) {
    const status = nodes.get(name)
    const cell = cells.get(name)
    if (status !== undefined && cell !== undefined) paint(cell, status)
  }
}

/** Fades the cells of nodes that were not asked for. @param {ReadonlyMap<string, NodeStatus>} nodes @param {(node: NodeStatus) => boolean} wanted */
export function fadeOthers(nodes, wanted) {
  for (const [name, cell] of cells) {
    const node = nodes.get(name)
    cell.classList.toggle('faded', node !== undefined && !wanted(node))
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
  racks = groups.map(([, names]) => names.map((name) => cells.get(name) ?? newCell(name)))
  root.replaceChildren(
    ...groups.map(([rack], i) =>
      el(
        'div',
        { class: 'rack', role: 'group', 'aria-label': rack === '' ? 'rack not known' : `rack ${rack}` },
        el('span', { class: 'rack-name', title: rack === '' ? 'rack not known' : rack }, rackLabel(rack)),
        el('div', { class: 'cells' }, ...(racks[i] ?? [])),
      ),
    ),
  )
  const reachable = racks[0]?.[0]
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
  const faded = cell.classList.contains('faded') ? ' faded' : ''
  cell.className = `cell ${scoreClass(score)} ${state}${faded}`
  const [glyph, , text] = cell.children
  if (glyph) glyph.textContent = STATES[state].glyph
  if (text) text.textContent = score === null ? '–' : scoreText(score)
  const label = `${node}: ${score === null ? 'not scored' : `score ${scoreText(score)}`}, ${state}`
  cell.setAttribute('aria-label', label)
  cell.title = `${label}, window to ${when(window_end)}`
}

/**
 * Makes the cells as large as the width and the map's share of the height allow; racks too tall for it stand in
 * several columns.
 */
function fit() {
  const tallest = Math.max(1, ...racks.map((rack) => rack.length))
  const perRack = (root.clientWidth + RACK_GAP.least) / Math.max(1, racks.length) - RACK_GAP.least
  const room = window.innerHeight * MAP_HEIGHT
  const gap = cells.size > MANY ? GAP.many : GAP.few
  let best = { side: -1, width: 0, height: 0, rows: tallest }
  for (let splits = 1; splits <= MOST_SPLITS; splits++) {
    const rows = Math.ceil(tallest / splits)
    const width = (perRack + gap) / splits - gap
    const height = room / rows - gap
    const side = Math.min(width, height, CELL.greatest)
    if (side > best.side) best = { side, width, height, rows }
  }
  const { width, height, rows } = best
  columns = racks.flatMap((rack) => chunks(rack, rows))
  const named = rows === tallest && width >= NAMED
  const w = Math.max(CELL.least, Math.floor(Math.min(width, named ? 2 * NAMED : CELL.greatest)))
  const h = Math.max(CELL.least, Math.floor(Math.min(height, CELL.greatest)))
  const splits = Math.ceil(tallest / rows)
  const left = (root.clientWidth - racks.length * (splits * (w + gap) - gap)) / Math.max(1, racks.length - 1)
  const rackGap = Math.max(RACK_GAP.least, Math.min(RACK_GAP.greatest, Math.floor(left)))
  root.classList.toggle('named', named)
  root.classList.toggle('tiny', Math.min(w, h) < GLYPH_FROM)
  root.style.setProperty('--cell-w', `${w}px`)
  root.style.setProperty('--cell-h', `${h}px`)
  root.style.setProperty('--gap', `${gap}px`)
  root.style.setProperty('--rack-gap', `${rackGap}px`)
  root.style.setProperty('--rows', String(rows))
}

/** @template T @param {readonly T[]} list @param {number} size @returns {T[][]} */
function chunks(list, size) {
  const out = []
  for (let i = 0; i < list.length; i += size) out.push(list.slice(i, i + size))
  return out
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
