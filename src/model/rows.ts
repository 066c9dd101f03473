/**
 * What training reads: scaled windows in batches, shuffled, or in order in blocks. Rows beyond a buffer's size stay in
 * a file, so that memory does not depend on their number.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WindowStore } from '../windows/store.ts'
import { OnnxGraph } from './onnx.ts'
import { createRandom, type Random } from './random.ts'
import * as ort from './runtime.ts'
import { addScaling, type Scaler } from './scaler.ts'

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

/** Rows shuffled together: 64 MiB, 36,000 rows of 460 features. A second buffer fills while the first is worked on. */
const BUFFER_BYTES = 64 * 2 ** 20
/** A buffer is filled with runs of so many consecutive rows, drawn from the whole file: .5 MB a read at d = 460. */
const RUN_ROWS = 256
/** Rows scaled in one call; bounds the double-precision buffer to 8 MB at d = 460. */
const SCALE_ROWS = 2048

type File = Awaited<ReturnType<typeof open>>

/**
 * Scaled windows as a file of float32, written once. A pass is shuffled in two steps: runs of consecutive rows are
 * drawn at random from the whole file until a buffer is full, and the rows of a buffer are shuffled. Rows that fit
 * one buffer stay in memory and are shuffled as a whole.
 */
export class ScaledRows implements Rows {
  readonly rows: number
  readonly features: number
  private readonly file: File
  private readonly temporary: string | null
  private readonly whole: MemoryRows | null
  /** Two buffers for shuffled passes, kept between them; taken while a pass runs. */
  private spare: Float32Array[] = []

  /**
   * Scales the windows `indices` of the store, in that order, into `path`, or into a temporary file that `release`
   * removes.
   */
  static async create(
    store: WindowStore,
    scaler: Scaler,
    indices: Int32Array,
    options: { path?: string; signal?: AbortSignal } = {},
  ): Promise<ScaledRows> {
    const temporary = options.path === undefined ? await mkdtemp(join(tmpdir(), 'examon-dec-rows-')) : null
    const path = options.path ?? join(temporary ?? '', 'rows.f32')
    try {
      const file = await open(path, 'w+')
      try {
        for await (const { first, n, x } of scaledBlocks(store, scaler, indices)) {
          options.signal?.throwIfAborted()
          await writeAll(file, x, first * scaler.features * 4, n * scaler.features)
        }
        return await ScaledRows.over(file, indices.length, scaler.features, temporary)
      } catch (error) {
        await file.close()
        throw error
      }
    } catch (error) {
      if (temporary !== null) await rm(temporary, { recursive: true, force: true })
      throw error
    }
  }

  /** Rows that an earlier `create` has written to `path`; read only. */
  static async open(path: string, rows: number, features: number): Promise<ScaledRows> {
    return ScaledRows.over(await open(path, 'r'), rows, features, null)
  }

  private static async over(
    file: File,
    rows: number,
    features: number,
    temporary: string | null,
  ): Promise<ScaledRows> {
    let whole: MemoryRows | null = null
    if (rows * features * 4 <= BUFFER_BYTES) {
      const values = new Float32Array(rows * features)
      await readAll(file, values, 0)
      whole = new MemoryRows(values, features)
    }
    return new ScaledRows(file, rows, features, temporary, whole)
  }

  private constructor(
    file: File,
    rows: number,
    features: number,
    temporary: string | null,
    whole: MemoryRows | null,
  ) {
    this.file = file
    this.rows = rows
    this.features = features
    this.temporary = temporary
    this.whole = whole
  }

  batches(batch: number, options: BatchOptions): AsyncIterable<Batch> {
    return this.whole?.batches(batch, options) ?? this.passOver(batch, options)
  }

  blocks(rowsPerBlock: number): AsyncIterable<Block> {
    return this.whole?.blocks(rowsPerBlock) ?? this.blocksOf(rowsPerBlock)
  }

  async release(): Promise<void> {
    await this.file.close()
    if (this.temporary !== null) await rm(this.temporary, { recursive: true, force: true })
  }

  private async *passOver(batch: number, { shuffle, random, from = 0 }: BatchOptions): AsyncGenerator<Batch> {
    const size = RUN_ROWS * Math.max(1, Math.floor(BUFFER_BYTES / (4 * this.features * RUN_ROWS)))
    const buffers = this.spare.splice(0)
    while (buffers.length < 2) buffers.push(new Float32Array(size * this.features))
    const gather = new Gatherer(batch, this.features)
    const plan = planPass(this.rows, size, shuffle ? passRandom(random) : null, from * batch)
    try {
      for await (const { x, item } of this.ahead(plan, buffers)) {
        yield* gather.add(
          x,
          item.order,
          (row) => item.runs[Math.floor(row / RUN_ROWS)]! * RUN_ROWS + (row % RUN_ROWS),
        )
      }
      yield* gather.rest()
    } finally {
      this.spare = buffers
    }
  }

  private async *blocksOf(rowsPerBlock: number): AsyncGenerator<Block> {
    const size = Math.min(rowsPerBlock, this.rows)
    const buffers = [0, 1].map(() => new Float32Array(size * this.features))
    const plan = function* (rows: number) {
      for (let first = 0; first < rows; first += size) {
        yield { spans: [{ first, n: Math.min(size, rows - first) }] }
      }
    }
    for await (const { x, item } of this.ahead(plan(this.rows), buffers)) {
      for (const { first, n } of item.spans) yield { first, n, x: x.subarray(0, n * this.features) }
    }
  }

  /** Reads the spans of each item into one of two buffers, the next while the last one handed out is worked on. */
  private async *ahead<T extends { spans: readonly Span[] }>(
    items: Iterator<T, void>,
    buffers: readonly Float32Array[],
  ): AsyncGenerator<{ x: Float32Array; item: T }> {
    let turn = 0
    const start = (): Promise<{ x: Float32Array; item: T } | null> => {
      const { value: item } = items.next()
      if (item === undefined) return Promise.resolve(null)
      const x = buffers[turn++ % 2]! // there are two
      const reading = this.read(item.spans, x).then(() => ({ x, item }))
      // Awaited later; until then a failure must not count as unhandled.
      reading.catch(() => {})
      return reading
    }
    let next = start()
    try {
      for (;;) {
        const current = await next
        if (current === null) return
        next = start()
        yield current
      }
    } finally {
      // Who leaves early may close the file next.
      await next.catch(() => {})
    }
  }

  private async read(spans: readonly Span[], into: Float32Array): Promise<void> {
    let done = 0
    for (const { first, n } of spans) {
      const size = n * this.features
      await readAll(this.file, into.subarray(done, done + size), first * this.features * 4)
      done += size
    }
  }
}

interface Span {
  first: number
  n: number
}

/** One buffer's share of a pass: which runs fill it, and in which order its rows are taken. */
interface Filling {
  runs: Int32Array
  spans: Span[]
  /** Rows of the buffer. */
  order: Int32Array
}

/** The buffers of a pass, in order when `random` is null; the first `skip` rows are left out. */
function* planPass(
  rows: number,
  size: number,
  random: Random | null,
  skip: number,
): Generator<Filling, void> {
  const runs = ascending(Math.ceil(rows / RUN_ROWS))
  random?.shuffle(runs)
  const runsPerBuffer = size / RUN_ROWS
  for (let at = 0; at < runs.length; at += runsPerBuffer) {
    const drawn = runs.subarray(at, at + runsPerBuffer)
    // The file's last run may be short. It goes last, so that row r of the buffer is row r % RUN_ROWS of its run.
    const short = drawn.indexOf(runs.length - 1)
    if (short >= 0) drawn.copyWithin(short, short + 1).fill(runs.length - 1, drawn.length - 1)
    const spans = Array.from(drawn, (run) => {
      const first = run * RUN_ROWS
      return { first, n: Math.min(RUN_ROWS, rows - first) }
    })
    const order = ascending(spans.reduce((sum, { n }) => sum + n, 0))
    random?.shuffle(order)
    const left = order.subarray(Math.min(skip, order.length))
    skip -= order.length - left.length
    if (left.length > 0) yield { runs: drawn, spans, order: left }
  }
}

/** Rows gathered to batches; what is left of one buffer starts the next batch. */
class Gatherer {
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

/** Scales windows of the store in blocks, by the graph that serving uses. `x` is valid until the next step. */
export async function* scaledBlocks(
  store: WindowStore,
  scaler: Scaler,
  indices: Int32Array,
): AsyncGenerator<Block> {
  const d = scaler.features
  const graph = new OnnxGraph('scaling')
  const { scaled } = addScaling(graph, scaler)
  graph.node('Identity', [scaled], {}, 'scaled')
  graph.output('scaled', 'float', ['n', d])
  const session = await ort.InferenceSession.create(graph.build())
  const most = Math.min(SCALE_ROWS, indices.length)
  const raw = new Float64Array(most * d)
  const node = new BigInt64Array(most)
  const into = new Float32Array(most * d)
  try {
    for (let first = 0; first < indices.length; first += most) {
      const n = Math.min(most, indices.length - first)
      for (let r = 0; r < n; r++) {
        const index = indices[first + r]! // within the block
        store.readValues(index, 1, raw.subarray(r * d, (r + 1) * d))
        node[r] = BigInt(store.node[index]! + 1)
      }
      const x = into.subarray(0, n * d)
      await session.run(
        {
          features: new ort.Tensor('float64', raw.subarray(0, n * d), [n, d]),
          node: new ort.Tensor('int64', node.subarray(0, n), [n]),
        },
        { scaled: new ort.Tensor('float32', x, [n, d]) },
      )
      yield { first, n, x }
    }
  } finally {
    await session.release()
  }
}

/** A stream of its own for one pass: its order is then known from one draw, whatever else draws meanwhile. */
function passRandom(random: Random): Random {
  return createRandom(random.integer(2 ** 32))
}

function ascending(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i)
}

async function readAll(file: File, into: Float32Array, position: number): Promise<void> {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength)
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done)
    if (bytesRead === 0)
      throw new Error('the file of scaled windows is shorter than written; is the disk full?')
    done += bytesRead
  }
}

async function writeAll(file: File, data: Float32Array, position: number, size: number): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, size * 4)
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}
