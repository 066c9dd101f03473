/** Numbers for people: as many digits as they can use, a true minus, a dash where there is none. */

/** Three significant digits, without trailing zeros: `0.0543`, `61.7`, `37,322`, `189M`. */
export function figure(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  const size = Math.abs(value)
  if (size >= 1e6) {
    return minus(value.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: 3 }))
  }
  if (size >= 1000) return minus(Math.round(value).toLocaleString('en'))
  if (size !== 0 && size < 1e-4) return minus(value.toExponential(1))
  return minus(String(Number(value.toPrecision(3))))
}

/** A share with two significant digits, in per cent. */
export function percent(share: number | null): string {
  if (share === null || Number.isNaN(share)) return '–'
  const value = 100 * share
  return `${minus(String(Number(value.toPrecision(value >= 10 && value < 100 ? 3 : 2))))} %`
}

/** A figure between 0 and 1 with three decimals, as tables of detectors have it. */
export function fraction(value: number | null): string {
  return value === null || Number.isNaN(value) ? '–' : minus(value.toFixed(3))
}

export function count(value: number): string {
  return value.toLocaleString('en')
}

/** `14 Mar 2020, 10:15` in UTC. */
export function moment(ms: number): string {
  if (!Number.isFinite(ms)) return '–'
  const date = new Date(ms)
  const [, month = ''] = /^\w+, \d+ (\w+)/.exec(date.toUTCString()) ?? []
  return `${date.getUTCDate()} ${month} ${date.getUTCFullYear()}, ${date.toISOString().slice(11, 16)}`
}

/** `14 Mar 10:15` in UTC: where the year is plain from elsewhere. */
export function shortMoment(ms: number): string {
  return moment(ms).replace(/ \d{4},/, '')
}

function minus(text: string): string {
  return text.replace('-', '−')
}
