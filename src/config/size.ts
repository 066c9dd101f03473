/** Sizes of memory as people write them: whole or decimal numbers of binary units. */

export type Bytes = number

const UNITS = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const

export const SIZE_PATTERN = '^(?=.*[1-9])\\d+(\\.\\d+)?(KiB|MiB|GiB|TiB)$'

/** `4GiB` in bytes. The text matches SIZE_PATTERN. */
export function parseSize(text: string): Bytes {
  const unit = text.slice(-3) as keyof typeof UNITS
  return Math.round(Number(text.slice(0, -3)) * UNITS[unit])
}

/** Bytes for people, three digits: `1.25 GiB`, `310 MiB`. */
export function formatSize(size: Bytes): string {
  const [unit, factor] = Object.entries(UNITS).findLast(([, f]) => size >= f) ?? ['KiB', UNITS.KiB]
  const value = size / factor
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`
}
