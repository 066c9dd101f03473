/** What training reads: scaled windows in batches, shuffled, or in order in blocks. */
import { createRandom, type Random } from './random.ts'

export interface Batch {
  /** n × d, valid until the next step of the iteration. */
  x: Float32Array
  /** Position of each row of `x` in the set. */
  positions: Int32Array
  n: number
}

export interface BatchOptions {
  /** False hands the rows out in order. */
  shuffle: boolean
  /** Gives one draw a shuffled pass, by which the order of the whole pass is known. */
  random: Random
  /** Batches of the pass to leave out at its start: those that an interrupted run has taken. */
  from?: number
}

export interface Block {
  /** Position of the first row. */
  first: number
  n: number
  /** n × d, valid until the next step of the iteration. */
  x: Float32Array
}

export interface Rows {
  readonly rows: number
  readonly features: number
  /** One pass over all rows in batches of `batch`; the last may be smaller. */
  batches(batch: number, options: BatchOptions): AsyncIterable<Batch>
  /** All rows in order, in blocks of at most `rowsPerBlock`. */
  blocks(rowsPerBlock: number): AsyncIterable<Block>
  release(): Promise<void>
}

/** Rows in memory, shuffled as a whole. */
export class MemoryRows implements Rows {
  readonly rows: number
  readonly features: number
  private readonly values: Float32Array

  /** `values`: n × d, row-major; not copied. */
  constructor(values: Float32Array, features: number) {
    this.values = values
    this.features = features
    this.rows = values.length / features
  }

  async *batches(batch: number, { shuffle, random, from = 0 }: BatchOptions): AsyncGenerator<Batch> {
    const order = ascending(this.rows)
    if (shuffle) passRandom(random).shuffle(order)
    const gather = new Gatherer(batch, this.features)
    yield* gather.add(this.values, order.subarray(from * batch), (row) => row)
    yield* gather.rest()
  }

  async *blocks(rowsPerBlock: number): AsyncGenerator<Block> {
    for (let first = 0; first < this.rows; first += rowsPerBlock) {
      const n = Math.min(rowsPerBlock, this.rows - first)
      yield { first, n, x: this.values.subarray(first * this.features, (first + n) * this.features) }
    }
  }

  async release(): Promise<void> {}
}

/** Rows gathered to batches; what is left of one buffer starts the next batch. */
export class Gatherer {
  private readonly batch: number
  private readonly features: number
  private readonly x: Float32Array
  private positions: Int32Array
  private n = 0

  constructor(batch: number, features: number) {
    this.batch = batch
    this.features = features
    this.x = new Float32Array(batch * features)
    this.positions = new Int32Array(batch)
  }

  /** Takes rows of `values` in the given order; `positionOf` tells a row's position in the set. */
  *add(values: Float32Array, order: Int32Array, positionOf: (row: number) => number): Generator<Batch> {
    const d = this.features
    for (const row of order) {
      this.x.set(values.subarray(row * d, (row + 1) * d), this.n * d)
      this.positions[this.n++] = positionOf(row)
      if (this.n === this.batch) yield* this.rest()
    }
  }

  *rest(): Generator<Batch> {
    const { n } = this
    if (n === 0) return
    this.n = 0
    yield { x: this.x.subarray(0, n * this.features), positions: this.positions.subarray(0, n), n }
  }
}

/** A stream of its own for one pass: its order is then known from one draw, whatever else draws meanwhile. */
export function passRandom(random: Random): Random {
  return createRandom(random.integer(2 ** 32))
}

export function ascending(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i)
}
