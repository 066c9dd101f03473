/** Samples per second are a mean over so many full seconds. */
const RATE_SECONDS = 10

/** Events per second over the last full seconds, in one bucket a second. */
export class RateMeter {
  readonly #startSecond: number
  readonly #buckets = new Float64Array(RATE_SECONDS + 1)
  /** The newest second that has a bucket. */
  #second: number

  constructor(nowMs: number) {
    this.#second = this.#startSecond = Math.floor(nowMs / 1000)
  }

  add(n: number, nowMs: number): void {
    this.#advance(nowMs)
    const at = this.#second % this.#buckets.length
    this.#buckets[at] = (this.#buckets[at] ?? 0) + n
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs)
    const full = Math.min(RATE_SECONDS, this.#second - this.#startSecond)
    if (full === 0) return 0
    const current = this.#buckets[this.#second % this.#buckets.length] ?? 0
    return (this.#buckets.reduce((a, b) => a + b, 0) - current) / full
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000)
    if (second <= this.#second) return
    for (let s = Math.max(this.#second + 1, second - RATE_SECONDS); s <= second; s++) {
      this.#buckets[s % this.#buckets.length] = 0
    }
    this.#second = second
  }
}
