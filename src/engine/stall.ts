import type { Telemetry } from '../telemetry/telemetry.ts'

/** So long nothing may move before a restart is worth its while, ms: longer than any time-out on the way. */
export const STALL_MS = 5 * 60_000

/**
 * Notices a loop that stands still though nothing is known to be wrong: a turn that does not end, or records that wait and are
 * not read. Outages that the daemon knows of (it is not ready then) do not count, for a restart would not mend them.
 */
export class StallWatch {
  readonly #telemetry: Telemetry
  readonly #now: () => number
  #turnMs: number
  #movedMs: number
  #position = -1
  #lag = 0

  constructor(telemetry: Telemetry, now: () => number = () => performance.now()) {
    this.#telemetry = telemetry
    this.#now = now
    this.#turnMs = now()
    this.#movedMs = now()
  }

  /** A turn has ended; `position` is the sum of the offsets read up to, `lag` the number of records that wait. */
  turned(position: number, lag: number): void {
    this.#turnMs = this.#now()
    if (position !== this.#position || lag === 0) this.#movedMs = this.#turnMs
    this.#position = position
    this.#lag = lag
  }

  /** To be called every few seconds, from outside of the loop. */
  check(): void {
    const now = this.#now()
    if (!this.#telemetry.status.daemon.ready) {
      // The clock starts when the outage is over.
      this.#turnMs = now
      this.#movedMs = now
    }
    const reason =
      now - this.#turnMs > STALL_MS
        ? 'a turn of the loop does not end'
        : now - this.#movedMs > STALL_MS
          ? `${this.#lag} records wait and none is read`
          : null
    const isTold = this.#telemetry.status.daemon.stalled !== null
    if ((reason !== null) !== isTold) this.#telemetry.stalled(reason)
  }
}
