/** A span of time in seconds; written in configuration files as `90s`, `15m`, `2h` or `1d`. */
export type Seconds = number

const SECONDS_PER_UNIT = { s: 1, m: 60, h: 3600, d: 86_400 } as const

export const DURATION_PATTERN = '^\\d+[smhd]$'
export const POSITIVE_DURATION_PATTERN = '^0*[1-9]\\d*[smhd]$'

/** Seconds of a text of the form of `DURATION_PATTERN`; throws on any other. */
export function parseDuration(text: string): Seconds {
  const match = /^(\d+)([smhd])$/.exec(text)
  if (!match) throw new Error(`"${text}" is not a duration such as 90s, 15m, 2h or 1d`)
  return Number(match[1]) * SECONDS_PER_UNIT[match[2] as keyof typeof SECONDS_PER_UNIT]
}

/** The shortest exact text of whole seconds: 900 → `15m`, 90 → `90s`. */
export function formatDuration(seconds: Seconds): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    const size = SECONDS_PER_UNIT[unit]
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`
  }
  return `${seconds}s`
}
