/** A node is drained, or back, from a time on; where that was read. */
export interface Mute {
  node: string
  muted: boolean
  timeMs: number
  partition: number
  offset: number
}

/** Changes of maintenance that wait for the end of the first window after them. */
export class MuteQueue {
  private waiting: Mute[] = []

  add(mute: Mute): void {
    this.waiting.push(mute)
  }

  /** Takes out what was said of the time before `endMs`, oldest first. */
  until(endMs: number): Mute[] {
    if (this.waiting.length === 0) return []
    const due = this.waiting.filter(({ timeMs }) => timeMs < endMs).sort((a, b) => a.timeMs - b.timeMs)
    if (due.length > 0) this.waiting = this.waiting.filter(({ timeMs }) => timeMs >= endMs)
    return due
  }

  /** Lowers offsets, by partition, to those of what waits. */
  addOffsets(needed: Map<number, number>): Map<number, number> {
    for (const { partition, offset } of this.waiting) {
      needed.set(partition, Math.min(offset, needed.get(partition) ?? offset))
    }
    return needed
  }
}
