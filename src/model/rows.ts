import type { WindowStore } from '../windows/store.ts'
import { OnnxGraph } from './onnx.ts'
import * as ort from './runtime.ts'
import { addScaling, type Scaler } from './scaler.ts'

/** Scaled rows held in memory at once: 64 MiB, 36,000 rows of 460 features. */
const CHUNK_BYTES = 64 * 2 ** 20

/** Rows scaled in one call; bounds the double-precision buffer to 8 MB at d = 460. */
const SCALE_ROWS = 2048

/**
 * The scaled rows of a selection of windows, read chunk by chunk from the store. A selection that fits one chunk is
 * scaled once and stays in memory.
 */
export class ScaledRows {
  readonly features: number
  readonly chunkRows: number
  readonly indices: Int32Array
  private readonly store: WindowStore
  private readonly session: ort.InferenceSession
  private readonly buffer: Float32Array
  private loaded = -1

  /** `indices`: rows of the store, ascending. */
  static async create(store: WindowStore, scaler: Scaler, indices: Int32Array): Promise<ScaledRows> {
    const graph = new OnnxGraph('scaling')
    const { scaled } = addScaling(graph, scaler)
    graph.node('Identity', [scaled], {}, 'scaled')
    graph.output('scaled', 'float', ['n', scaler.features])
    return new ScaledRows(store, await ort.InferenceSession.create(graph.build()), indices)
  }

  private constructor(store: WindowStore, session: ort.InferenceSession, indices: Int32Array) {
    this.store = store
    this.session = session
    this.indices = indices
    this.features = store.features
    this.chunkRows = Math.max(1, Math.min(indices.length, Math.floor(CHUNK_BYTES / (4 * store.features))))
    this.buffer = new Float32Array(this.chunkRows * store.features)
  }

  get rows(): number {
    return this.indices.length
  }

  get chunks(): number {
    return Math.ceil(this.rows / this.chunkRows)
  }

  /** First row and number of rows of a chunk, as positions in the selection. */
  span(chunk: number): { first: number; rows: number } {
    const first = chunk * this.chunkRows
    return { first, rows: Math.min(this.chunkRows, this.rows - first) }
  }

  /** The scaled rows of a chunk, rows × d. Valid until the next call. */
  async load(chunk: number): Promise<Float32Array> {
    const { first, rows } = this.span(chunk)
    if (this.loaded !== chunk) {
      this.loaded = -1
      const d = this.features
      const most = Math.min(SCALE_ROWS, rows)
      const raw = new Float64Array(most * d)
      const node = new BigInt64Array(most)
      for (let done = 0; done < rows; ) {
        const n = Math.min(most, rows - done)
        for (let r = 0; r < n; r++) {
          const index = this.indices[first + done + r]! // within the span
          this.store.readValues(index, 1, raw.subarray(r * d, (r + 1) * d))
          node[r] = BigInt(this.store.node[index]! + 1)
        }
        const into = this.buffer.subarray(done * d, (done + n) * d)
        await this.session.run(
          {
            features: new ort.Tensor('float64', raw.subarray(0, n * d), [n, d]),
            node: new ort.Tensor('int64', node.subarray(0, n), [n]),
          },
          { scaled: new ort.Tensor('float32', into, [n, d]) },
        )
        done += n
      }
      this.loaded = chunk
    }
    return this.buffer.subarray(0, rows * this.features)
  }

  async release(): Promise<void> {
    await this.session.release()
  }
}
