/** Where records come from. A source knows nothing of metrics; it hands on keys, values and positions. */

/** Names and values as they came; a bus without headers has none. */
export type RecordHeaders = readonly (readonly [Buffer | null, Buffer | null])[]

/** One message as it came over the wire. */
export interface SourceRecord {
  key: Buffer | null
  value: Buffer | null
  headers?: RecordHeaders
  partition: number
  /** Position within the partition; below 2^53, checked by the source. */
  offset: number
}

export type SourceEvent =
  /** New records, at most a few thousand at once so that one turn of the engine stays short. */
  | { kind: 'records'; records: SourceRecord[] }
  /**
   * The partitions read from now on, after start or a rebalance. What was in memory for others is void. `isWhole` where
   * they are all that the source has, and no other member reads beside this one.
   */
  | { kind: 'assigned'; partitions: number[]; isWhole: boolean }
  /** Nothing new within the poll's time-out. */
  | { kind: 'idle' }
  /** A bounded source (replay) is read to its end. */
  | { kind: 'end' }

/** How far one partition is read: `position` is the next offset to read, `end` the offset after the newest record. */
export interface PartitionProgress {
  partition: number
  position: number
  end: number
}

export interface Source {
  readonly kind: 'kafka' | 'mqtt' | 'replay' | 'simulator'
  /** Connects. Rejects with a message that names the address and the key to mend when that is not possible. */
  start(): Promise<void>
  /** The next event; resolves within about `timeoutMs`. Pull only, so the reader's pace bounds memory. */
  poll(timeoutMs: number): Promise<SourceEvent>
  progress(): PartitionProgress[]
  /** Stores, per partition, the offset from which a restart must read again. */
  commit(offsets: ReadonlyMap<number, number>): Promise<void>
  close(): Promise<void>
}
