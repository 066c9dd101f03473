import type { RecordsBatch } from '@platformatic/kafka'

/** Attribute bits of a batch (KIP-98). */
const TRANSACTIONAL = 1 << 4
export const CONTROL_BATCH = 1 << 5
/** Key of a marker: version and type, both of 16 bits. */
const MARKER_TYPE_AT = 2
const COMMIT = 1

/**
 * Of one partition, only what was committed: a transaction's batches are held until its marker comes, then handed on or dropped.
 * All that this needs stands in the log itself, where the broker's list of aborted transactions would have to be matched with it.
 */
export class CommittedOnly {
  readonly #open = new Map<bigint, RecordsBatch[]>()

  /** Batches that `batch` makes readable, oldest first. */
  take(batch: RecordsBatch): RecordsBatch[] {
    const { attributes, producerId, records } = batch
    if ((attributes & CONTROL_BATCH) !== 0) {
      const held = this.#open.get(producerId) ?? []
      this.#open.delete(producerId)
      return records[0]?.key?.readInt16BE(MARKER_TYPE_AT) === COMMIT ? held : []
    }
    if ((attributes & TRANSACTIONAL) === 0) return [batch]
    const held = this.#open.get(producerId)
    if (held === undefined) this.#open.set(producerId, [batch])
    else held.push(batch)
    return []
  }

  /** Whether a transaction that began below the offset is still open. */
  isOpenBelow(offset: number): boolean {
    for (const [first] of this.#open.values())
      if (first !== undefined && first.firstOffset < offset) return true
    return false
  }
}
