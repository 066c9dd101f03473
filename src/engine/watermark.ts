import type { PartitionProgress } from '../sources/source.ts'

interface Partition {
  /** Newest sample time read, ms; -Infinity before the first. */
  newestMs: number
  /** When the last sample came, or the assignment, by a clock that nobody sets, ms. */
  heardMs: number
}

/**
 * How far event time has come: every partition has been read up to the watermark. A partition that is read to its
 * end and has been quiet for the idle time-out no longer holds the others back. While all are, the wall clock leads,
 * so that the last windows close; records that come later (delayed, or from a replay of the past) take over again.
 */
export class Watermark {
  private readonly partitions = new Map<number, Partition>()
  private readonly idleMs: number
  private value = Number.NEGATIVE_INFINITY

  /** `steadyMs` here and below is of a clock that nobody sets: a step of the wall clock is no idleness. */
  constructor(partitions: readonly number[], idleMs: number, steadyMs: number) {
    this.idleMs = idleMs
    for (const partition of partitions) {
      this.partitions.set(partition, { newestMs: Number.NEGATIVE_INFINITY, heardMs: steadyMs })
    }
  }

  /** Takes note of a sample's time; the newest of its partition, ms. */
  observe(partition: number, timeMs: number, steadyMs: number): number {
    const entry = this.partitions.get(partition)
    if (entry === undefined) return Number.NEGATIVE_INFINITY // of an assignment that has ended
    if (timeMs > entry.newestMs) entry.newestMs = timeMs
    entry.heardMs = steadyMs
    return entry.newestMs
  }

  advance(progress: readonly PartitionProgress[], steadyMs: number, wallMs: number): number {
    let least = Number.POSITIVE_INFINITY
    let newest = Number.NEGATIVE_INFINITY
    let active = 0
    let known = 0
    for (const { partition, position, end } of progress) {
      const entry = this.partitions.get(partition)
      if (entry === undefined) continue
      known++
      newest = Math.max(newest, entry.newestMs)
      if (position >= end && steadyMs - entry.heardMs >= this.idleMs) continue
      active++
      least = Math.min(least, entry.newestMs)
    }
    // During a rebalance the assignment is gone before the next one comes: that nothing is read then is no sign of idleness.
    if (known < this.partitions.size) return this.value
    if (active === 0) return this.partitions.size > 0 ? Math.max(newest, wallMs) : this.value
    this.value = Math.max(this.value, least)
    return this.value
  }
}
