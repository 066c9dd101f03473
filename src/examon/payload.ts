import { type DropReason, LARGEST_VALUE } from './sample.ts'

/** Where `readPayload` leaves its result, so that a sample costs no object. */
export interface Reading {
  value: number
  /** ms since the epoch, UTC; finer fractions are cut off as in ExaMon's own bridge. */
  timeMs: number
}

const ZERO = 0x30
const NINE = 0x39
const DOT = 0x2e
const MINUS = 0x2d
const SEMICOLON = 0x3b

/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

/**
 * Up to so many digits a decimal's integer is exact in a double (below 2^53), so that one division by an exact power of
 * ten rounds correctly and gives what `Number()` gives (Clinger, "How to read floating point numbers accurately", 1990).
 */
const EXACT_DIGITS = 15

/** What Python's `float()` takes, without `nan`, `inf` and grouping underscores. */
const DECIMAL = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/
const NON_FINITE = /^\s*[+-]?(?:nan|inf|infinity)\s*$/i

/** End of the year 9999; above it a time is not in seconds but in ms or finer. */
export const LAST_SECOND = 253402300799

/**
 * The number written in `text`, by the rules of Python's `float()` (which ExaMon's bridge uses): no hexadecimal, no trailing
 * characters, not empty. Not finite where the text says `nan` or `inf` or overflows; undefined where it is no number.
 */
export function parseNumber(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text)
  if (NON_FINITE.test(text)) return Number.NaN
  return undefined
}

/** `parseNumber` on bytes from `start` up to `end`, without a string where the number is a plain decimal. */
export function numberAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  let i = start
  const negative = bytes[i] === MINUS
  if (negative) i++
  const first = i
  let mantissa = 0
  let dot = -1
  for (; i < end; i++) {
    const c = bytes[i] as number // i < end ≤ length
    if (c >= ZERO && c <= NINE) mantissa = mantissa * 10 + (c - ZERO)
    else if (c === DOT && dot < 0) dot = i
    else break
  }
  const digits = i - first - (dot < 0 ? 0 : 1)
  if (i === end && digits > 0 && digits <= EXACT_DIGITS) {
    const value = dot < 0 ? mantissa : mantissa / (POWERS[end - dot - 1] as number) // at most 15 places
    return negative ? -value : value
  }
  return parseNumber(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'))
}

/** Seconds with any fraction, as bytes, to whole ms; undefined where it is no time. */
export function timeMsAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  let i = start
  let seconds = 0
  for (; i < end; i++) {
    const c = bytes[i] as number // i < end ≤ length
    if (c < ZERO || c > NINE) break
    seconds = seconds * 10 + (c - ZERO)
  }
  if (i > start && seconds <= LAST_SECOND) {
    if (i === end) return seconds * 1000
    if (bytes[i] === DOT) {
      let ms = 0
      let unit = 100
      for (i++; i < end; i++) {
        const c = bytes[i] as number // i < end ≤ length
        if (c < ZERO || c > NINE) break
        ms += unit === 0 ? 0 : (c - ZERO) * unit
        unit = unit === 100 ? 10 : unit === 10 ? 1 : 0
      }
      if (i === end) return seconds * 1000 + ms
    }
  }
  const slow = numberAt(bytes, start, end)
  if (slow === undefined || !(slow >= 0 && slow <= LAST_SECOND)) return undefined
  // Microseconds first: 1658832080.01 × 1000 may fall short of 1658832080010 by one bit.
  return Math.floor(Math.round(slow * 1e6) / 1e3)
}

/** ExaMon's `value;seconds`, split at the last `;` since a string value may hold more. Null when `into` holds the sample. */
export function readPayload(bytes: Uint8Array, into: Reading): DropReason | null {
  if (bytes.length === 0) return 'no_value'
  let split = bytes.length - 1
  while (split >= 0 && bytes[split] !== SEMICOLON) split--
  if (split < 0) return 'bad_payload'
  const timeMs = timeMsAt(bytes, split + 1, bytes.length)
  if (timeMs === undefined) return 'bad_time'
  into.timeMs = timeMs
  if (split === 0) return 'no_value'
  const value = numberAt(bytes, 0, split)
  if (value === undefined) return 'not_numeric'
  if (!(Math.abs(value) <= LARGEST_VALUE)) return 'not_finite'
  into.value = value
  return null
}

/** The bare sync beat that `pmu_pub` sends before each cycle; it carries nothing and is no mistake. */
export function isSyncBeat(bytes: Uint8Array): boolean {
  return bytes.length === 2 && bytes[0] === 0x43 && bytes[1] === 0x4b
}
