// @ts-check
/** How scores, states, numbers and times are shown; the one place for it. */

/** @typedef {import('../../detect/records.ts').AlarmState} AlarmState */

/**
 * Bins of the colour scale by their lower bound. Blue below the threshold 1.0, orange from it on: a pair that all
 * common kinds of colour blindness tell apart, and within each the stronger colour is the higher score.
 */
export const BINS = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 4]

/** @param {number | null} score @returns {string} the class that colours it */
export function scoreClass(score) {
  if (score === null) return 'unscored'
  let bin = 0
  while (bin + 1 < BINS.length && score >= /** @type {number} */ (BINS[bin + 1])) bin++
  return `bin${bin}`
}

/**
 * States in the order of their weight, each with a glyph so that colour is never the only sign.
 * @type {Record<AlarmState, { glyph: string, meaning: string }>}
 */
export const STATES = {
  anomalous: { glyph: '▲', meaning: 'over the threshold for long enough' },
  pending: { glyph: '△', meaning: 'over the threshold, not yet for long enough' },
  silent: { glyph: '×', meaning: 'no data from the node' },
  insufficient: { glyph: '?', meaning: 'too little data to score' },
  muted: { glyph: '–', meaning: 'drained or in maintenance' },
  learning: { glyph: '∘', meaning: 'warming up after the first sight or a reboot' },
  normal: { glyph: '', meaning: 'below the threshold' },
}

/** Decimal prefixes of large numbers. @type {readonly (readonly [number, string])[]} */
const PREFIXES = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
]

/** @param {number | null | undefined} value three significant digits, or a dash for nothing */
export function number(value) {
  if (value === null || value === undefined) return '–'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e15 || size < 1e-3)) return value.toExponential(2).replace('e+', 'e')
  for (const [unit, name] of PREFIXES) if (size >= unit) return `${(value / unit).toPrecision(3)} ${name}`
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(size >= 100 ? 4 : 3)))
}

/** @param {number | null} score two decimals, because 0.996 and 1.0 are on two sides of the threshold */
export function scoreText(score) {
  if (score === null) return 'not scored'
  if (score >= 100) return score.toFixed(0)
  const rounded = score.toFixed(2)
  return score < 1 && Number(rounded) >= 1 ? '0.99' : rounded
}

/** @param {number | null} share */
export function percent(share) {
  if (share === null) return '–'
  return share > 0 && share < 0.01 ? '< 1 %' : `${Math.round(share * 100)} %`
}

const clock = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})
const seconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** Day and time of an ISO time, in the reader's zone. @param {string | null} time */
export function when(time) {
  return time === null ? '–' : clock.format(new Date(time)).replace(',', '')
}

/** Time of day to the second. @param {Date} date */
export function timeOfDay(date) {
  return seconds.format(date)
}

/** A span in its largest fitting unit. @param {number} s seconds */
export function span(s) {
  /** @type {[number, string][]} */
  const units = [
    [86400, 'd'],
    [3600, 'h'],
    [60, 'min'],
  ]
  for (const [size, unit] of units) if (s >= 2 * size) return `${Math.floor(s / size)} ${unit}`
  return `${Math.max(0, Math.floor(s))} s`
}

/** Names in the order people count: r9 before r10. */
export const byName = new Intl.Collator('en', { numeric: true }).compare

/**
 * An element with properties, attributes and children; text is only ever set as text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
  element.append(...children)
  return element
}

/** @param {string} id @returns {HTMLElement} an element that index.html has */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`index.html lacks #${id}`)
  return element
}

/** @param {string[]} heads @param {number[]} numeric columns that hold numbers @param {HTMLElement[]} rows */
export function table(heads, numeric, rows) {
  const head = heads.map((h, i) =>
    el('th', numeric.includes(i) ? { scope: 'col', class: 'num' } : { scope: 'col' }, h),
  )
  return el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows))
}
