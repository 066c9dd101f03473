/** A search on stderr: a leaderboard that is drawn anew on a terminal, one line a finished trial otherwise. */
import { clearScreenDown, moveCursor } from 'node:readline'
import { formatSize } from '../config/size.ts'
import { leaderboardText, type Standing, trialText } from '../tune/leaderboard.ts'
import type { TrialResult } from '../tune/trial.ts'

type Terminal = NodeJS.WritableStream & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>>

/** Lines of the leaderboard on a terminal that tells no height. */
const FALLBACK_ROWS = 24
const FALLBACK_COLUMNS = 80
/** Lines around the trials: state, titles, rule, and the one where the cursor waits. */
const OTHER_LINES = 4

/** A process may take so much more than was expected before it is worth a line: what was expected is an estimate. */
const TOLERATED = 1.25

export function watchSearch(out: Terminal): (standing: Standing, ended: TrialResult | null) => void {
  let drawn = 0
  let begun = false
  return (standing, ended) => {
    const erase = (): void => {
      if (drawn === 0) return
      moveCursor(out, 0, -drawn)
      clearScreenDown(out)
      drawn = 0
    }
    if (!begun) {
      begun = true
      if (standing.resumed > 0) out.write(`going on with ${standing.resumed} results of an earlier run\n`)
    }
    if (ended !== null && ended.peakBytes > TOLERATED * ended.expectedBytes) {
      erase()
      const [took, expected] = [formatSize(ended.peakBytes), formatSize(ended.expectedBytes)]
      out.write(`trial ${ended.trial} took ${took} of memory, more than the ${expected} expected\n`)
    }
    if (!out.isTTY) {
      if (ended !== null) out.write(`${trialText(ended, standing)}\n`)
      return
    }
    const height = (out.rows ?? FALLBACK_ROWS) - OTHER_LINES
    const lines = [stateText(standing), ...leaderboardText(standing, height).split('\n')]
    erase()
    // One column is kept free: a full line would wrap and could not be redrawn.
    for (const line of lines) out.write(`${line.slice(0, (out.columns ?? FALLBACK_COLUMNS) - 1)}\n`)
    drawn = lines.length
  }
}

function stateText({ rungs, ranked, running }: Standing): string {
  const rung = ranked[0]?.rung ?? 0
  const done = ranked.filter((result) => result.rung === rung).length
  return `rung ${rung + 1} of ${rungs.length}: ${done} of ${rungs[rung]?.trials ?? 0} trials done, ${running} running`
}
