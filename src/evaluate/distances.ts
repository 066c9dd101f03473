import { OnnxGraph } from '../model/onnx.ts'
import * as ort from '../model/runtime.ts'

/** Bounds a block of distances, n columns of doubles. */
const BLOCK_BYTES = 32 * 2 ** 20

/** Squared Euclidean distances of some rows to all rows. */
export interface DistanceBlock {
  /** First row of the block, and how many follow it. */
  first: number
  rows: number
  /** rows × n, row-major, ≥ 0; the distance of a row to itself is exactly 0. Valid until the next block. */
  squared: Float64Array
}

/**
 * All pairs of n rows, block by block: ‖x‖² + ‖y‖² − 2·x·y, with the products of a block as one Gemm of the tensor runtime. In
 * double precision, so that the difference of large squares keeps about eight digits of a distance. Takes 8·n·d bytes for
 * the rows and 32 MiB for a block. `points` is n × d, row-major and finite.
 */
export async function* distanceBlocks(
  points: Float32Array,
  d: number,
  signal?: AbortSignal,
): AsyncGenerator<DistanceBlock> {
  const n = points.length / d
  const wide = Float64Array.from(points)
  const squares = squaredNorms(wide, n, d)
  const graph = new OnnxGraph('distances')
  graph.input('block', 'double', ['b', d])
  graph.input('points', 'double', [n, d])
  graph.input('squares', 'double', [1, n])
  graph.node('Gemm', ['block', 'points', 'squares'], { transB: { int: 1 }, alpha: { float: -2 } }, 'partial')
  graph.output('partial', 'double', ['b', n])
  const session = await ort.InferenceSession.create(graph.build())
  try {
    const fixed = {
      points: new ort.Tensor('float64', wide, [n, d]),
      squares: new ort.Tensor('float64', squares, [1, n]),
    }
    const most = Math.max(1, Math.min(n, Math.floor(BLOCK_BYTES / (8 * n))))
    const buffer = new Float64Array(most * n)
    for (let first = 0; first < n; first += most) {
      signal?.throwIfAborted()
      const rows = Math.min(most, n - first)
      const squared = buffer.subarray(0, rows * n)
      const block = new ort.Tensor('float64', wide.subarray(first * d, (first + rows) * d), [rows, d])
      await session.run({ block, ...fixed }, { partial: new ort.Tensor('float64', squared, [rows, n]) })
      for (let r = 0, at = 0; r < rows; r++) {
        const own = squares[first + r]! // first + rows ≤ n
        // Rounding can leave equal rows slightly below 0.
        for (let j = 0; j < n; j++, at++) squared[at] = Math.max(0, squared[at]! + own) // at < rows · n
        squared[r * n + first + r] = 0
      }
      yield { first, rows, squared }
    }
  } finally {
    await session.release()
  }
}

function squaredNorms(points: Float64Array, n: number, d: number): Float64Array {
  const squares = new Float64Array(n)
  for (let row = 0, at = 0; row < n; row++) {
    let sum = 0
    for (let j = 0; j < d; j++, at++) sum += points[at]! ** 2 // at < n · d
    squares[row] = sum
  }
  return squares
}
