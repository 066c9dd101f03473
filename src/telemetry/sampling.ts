/** One log line a reason and minute: enough to see what is wrong, little enough to keep the log readable. */
const PERIOD_MS = 60_000

/**
 * Decides which of many equal events are logged: the first of a kind, then one a minute, each with the number
 * of those left out since the line before.
 */
export class LogSampler<K> {
  #now: () => number
  #kinds = new Map<K, { until: number; suppressed: number }>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** The number of events suppressed since the last line when this one is to be logged, else null. */
  take(kind: K, count: number): number | null {
    const now = this.#now()
    const entry = this.#kinds.get(kind)
    if (entry !== undefined && now < entry.until) {
      entry.suppressed += count
      return null
    }
    this.#kinds.set(kind, { until: now + PERIOD_MS, suppressed: 0 })
    return entry?.suppressed ?? 0
  }

  /** What no line has told yet, by kind; forgets it. */
  drain(): Map<K, number> {
    const rest = new Map<K, number>()
    for (const [kind, { suppressed }] of this.#kinds) if (suppressed > 0) rest.set(kind, suppressed)
    this.#kinds.clear()
    return rest
  }
}
