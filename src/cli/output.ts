/** Progress on stderr: a bar with the time left on a terminal, one line a step otherwise. */
import { clearLine, cursorTo } from 'node:readline'

/** One step of a longer work. */
export interface Step {
  /** How much is done, in the unit of `total`; `note` is a figure worth watching, such as the loss. */
  advance(done: number, note?: string): void
  /** Ends the step and leaves one line behind. */
  finish(note?: string): void
}

export interface Progress {
  /** Begins a step; `total` is the amount of work in any unit, left out where it is not known. */
  step(name: string, total?: number): Step
}

type Terminal = Pick<NodeJS.WriteStream, 'write'> & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>

/** Shortest time between two drawings of the bar, ms. */
const REDRAW_MS = 100
/** Characters of the bar itself. */
const BAR_WIDTH = 24
/** No estimate before this much time and share is done: it would jump. */
const ESTIMATE_AFTER_MS = 1000
const ESTIMATE_AFTER_SHARE = 0.02
const FALLBACK_COLUMNS = 80

/** `now` is a monotonic clock in ms. */
export function createProgress(out: Terminal = process.stderr, now = () => performance.now()): Progress {
  return {
    step(name, total) {
      const started = now()
      let drawn = Number.NEGATIVE_INFINITY
      const draw = (done: number, note: string): void => {
        if (!out.isTTY || now() - drawn < REDRAW_MS) return
        drawn = now()
        redraw(out, progressLine(name, done, total, now() - started, note))
      }
      draw(0, '')
      return {
        advance: (done, note = '') => draw(done, note),
        finish(note = '') {
          if (out.isTTY) redraw(out, '')
          const tail = note === '' ? '' : `, ${note}`
          out.write(`${name}: ${formatSpan(now() - started)}${tail}\n`)
        },
      }
    },
  }
}

function redraw(out: Terminal, line: string): void {
  cursorTo(out as NodeJS.WriteStream, 0)
  clearLine(out as NodeJS.WriteStream, 0)
  // One column is kept free: a full line would wrap and could not be redrawn.
  out.write(line.slice(0, (out.columns ?? FALLBACK_COLUMNS) - 1))
}

function progressLine(
  name: string,
  done: number,
  total: number | undefined,
  elapsedMs: number,
  note: string,
): string {
  const tail = note === '' ? '' : `  ${note}`
  if (total === undefined) return `${name}  ${done}  ${formatSpan(elapsedMs)}${tail}`
  const share = total > 0 ? Math.min(1, done / total) : 1
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  const sure = elapsedMs >= ESTIMATE_AFTER_MS && share >= ESTIMATE_AFTER_SHARE
  const left = sure ? `  ${formatSpan((elapsedMs / share) * (1 - share))} left` : ''
  return `${name}  ${bar} ${String(Math.floor(share * 100)).padStart(3)} %${left}${tail}`
}

/** A span for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatSpan(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}
