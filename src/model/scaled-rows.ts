/** Scaled windows in a file, so that memory does not depend on their number. */
import { open } from 'node:fs/promises'
import { loadAhead } from '../windows/ahead.ts'
import { OnnxGraph } from './onnx.ts'
import type { Random } from './random.ts'
import {
  ascending,
  type Batch,
  type BatchOptions,
  type Block,
  Gatherer,
  MemoryRows,
  passRandom,
  type Rows,
} from './rows.ts'
import * as ort from './runtime.ts'
import { addScaling, type Scaler } from './scaler.ts'

/** Rows shuffled together: 64 MiB, 36,000 rows of 460 features. A second buffer fills while the first is worked on. */
const BUFFER_BYTES = 64 * 2 ** 20
/** A buffer is filled with runs of so many consecutive rows, drawn from the whole file: .5 MB a read at d = 460. */
const RUN_ROWS = 256

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
  private readonly whole: MemoryRows | null
  /** Two buffers for shuffled passes, kept between them; taken while a pass runs. */
  private spare: [Float32Array, Float32Array] | null = null

  /** Rows that `writeScaledRows` has written to `path`. */
  static async open(path: string, rows: number, features: number): Promise<ScaledRows> {
    const file = await open(path, 'r')
    try {
      if (rows * features * 4 > BUFFER_BYTES) return new ScaledRows(file, rows, features, null)
      const values = new Float32Array(rows * features)
      await readAll(file, values, 0)
      return new ScaledRows(file, rows, features, new MemoryRows(values, features))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  private constructor(file: File, rows: number, features: number, whole: MemoryRows | null) {
    this.file = file
    this.rows = rows
    this.features = features
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
  }

  private async *passOver(batch: number, { shuffle, random, from = 0 }: BatchOptions): AsyncGenerator<Batch> {
    const size = RUN_ROWS * Math.max(1, Math.floor(BUFFER_BYTES / (4 * this.features * RUN_ROWS)))
    const buffers = this.spare ?? [
      new Float32Array(size * this.features),
      new Float32Array(size * this.features),
    ]
    this.spare = null
    const gather = new Gatherer(batch, this.features)
    const plan = planPass(this.rows, size, shuffle ? passRandom(random) : null, from * batch)
    try {
      const load = ({ spans }: Filling, into: Float32Array): Promise<void> => this.read(spans, into)
      for await (const { item, buffer } of loadAhead(plan, buffers, load)) {
        // Every row of the buffer lies in one of its runs.
        const position = (row: number): number =>
          item.runs[Math.floor(row / RUN_ROWS)]! * RUN_ROWS + (row % RUN_ROWS)
        yield* gather.add(buffer, item.order, position)
      }
      yield* gather.rest()
    } finally {
      this.spare = buffers
    }
  }

  private async *blocksOf(rowsPerBlock: number): AsyncGenerator<Block> {
    const size = Math.min(rowsPerBlock, this.rows)
    const buffer = (): Float32Array => new Float32Array(size * this.features)
    const plan = function* (rows: number): Generator<Span, void> {
      for (let first = 0; first < rows; first += size) yield { first, n: Math.min(size, rows - first) }
    }
    const load = (span: Span, into: Float32Array): Promise<void> => this.read([span], into)
    for await (const { item, buffer: x } of loadAhead(plan(this.rows), [buffer(), buffer()], load)) {
      yield { ...item, x: x.subarray(0, item.n * this.features) }
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

/** What scaling needs of windows; `WindowStore` hands out more. */
export interface ScalableBlock {
  rows: number
  node: Int32Array
  values: Float64Array
}

/** Scales windows, in their order, into `path`, down to the disk itself. */
export async function writeScaledRows(
  windows: AsyncIterable<ScalableBlock>,
  scaler: Scaler,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const file = await open(path, 'w')
  try {
    for await (const { first, x } of scaledBlocks(windows, scaler)) {
      signal?.throwIfAborted()
      await writeAll(file, x, first * scaler.features * 4)
    }
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** Scales windows block by block, by the graph that serving uses. `x` is valid until the next step. */
export async function* scaledBlocks(
  windows: AsyncIterable<ScalableBlock> | Iterable<ScalableBlock>,
  scaler: Scaler,
): AsyncGenerator<Block> {
  const d = scaler.features
  const graph = new OnnxGraph('scaling')
  const { scaled } = addScaling(graph, scaler)
  graph.node('Identity', [scaled], {}, 'scaled')
  graph.output('scaled', 'float', ['n', d])
  const session = await ort.InferenceSession.create(graph.build())
  let into = new Float32Array(0)
  let first = 0
  try {
    for await (const { rows: n, node, values } of windows) {
      if (into.length < n * d) into = new Float32Array(n * d)
      const x = into.subarray(0, n * d)
      await session.run(
        {
          features: new ort.Tensor('float64', values, [n, d]),
          // Row 0 of the scaler is for nodes that training has not seen.
          node: new ort.Tensor(
            'int64',
            BigInt64Array.from(node, (i) => BigInt(i + 1)),
            [n],
          ),
        },
        { scaled: new ort.Tensor('float32', x, [n, d]) },
      )
      yield { first, n, x }
      first += n
    }
  } finally {
    await session.release()
  }
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

async function writeAll(file: File, data: Float32Array, position: number): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}
