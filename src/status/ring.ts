import { ALARM_STATES, type AlarmState, type FlagRecord } from '../detect/records.ts'

/** Windows of a node that the page can draw: a day of quarter hours. */
const HISTORY_WINDOWS = 96

/** One point of a node's history, oldest first in `/api/nodes/<node>`. */
export interface HistoryPoint {
  window_end: string
  score: number | null
  state: AlarmState
  mode: number | null
}

/** The last windows of one node; typed arrays, because ten thousand nodes are held. */
export class Ring {
  /** Windows ever written; the next place is `#written % HISTORY_WINDOWS`. */
  #written = 0
  /** ms since the epoch. */
  readonly #end = new Float64Array(HISTORY_WINDOWS)
  /** NaN: not scored. */
  readonly #score = new Float64Array(HISTORY_WINDOWS)
  /** Index in ALARM_STATES. */
  readonly #state = new Uint8Array(HISTORY_WINDOWS)
  /** -1: not scored. */
  readonly #mode = new Int16Array(HISTORY_WINDOWS)

  /** Adds a window; false for one that is older than the last, which is only history that was told already. */
  push({ window_end, score, state, mode }: Pick<FlagRecord, keyof HistoryPoint>): boolean {
    const end = Date.parse(window_end)
    const last =
      this.#written === 0 ? Number.NEGATIVE_INFINITY : this.#end[(this.#written - 1) % HISTORY_WINDOWS]
    if (last !== undefined && end < last) return false
    if (end === last) this.#written-- // the same window again, after a restart
    const at = this.#written++ % HISTORY_WINDOWS
    this.#end[at] = end
    this.#score[at] = score ?? Number.NaN
    this.#state[at] = ALARM_STATES.indexOf(state)
    this.#mode[at] = mode ?? -1
    return true
  }

  /** Oldest first. */
  points(): HistoryPoint[] {
    const points: HistoryPoint[] = []
    for (let i = Math.max(0, this.#written - HISTORY_WINDOWS); i < this.#written; i++) {
      const at = i % HISTORY_WINDOWS
      const score = this.#score[at] as number // at < HISTORY_WINDOWS, here and below
      const mode = this.#mode[at] as number
      points.push({
        window_end: new Date(this.#end[at] as number).toISOString(),
        score: Number.isNaN(score) ? null : score,
        state: ALARM_STATES[this.#state[at] as number] as AlarmState,
        mode: mode < 0 ? null : mode,
      })
    }
    return points
  }
}
