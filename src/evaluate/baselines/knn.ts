import { OnnxGraph } from '../../model/onnx.ts'
import * as ort from '../../model/runtime.ts'
import {
  type Baseline,
  checkRows,
  checkScores,
  checkTraining,
  columnMeans,
  squaredDistance,
} from './baseline.ts'

const NAME = 'kNN distance'

/** Neighbours whose distances are averaged. */
const NEIGHBOURS = 5

/** Bounds the distances of a block of rows to all training rows. */
const BLOCK_BYTES = 32 * 2 ** 20

/**
 * kNN: mean Euclidean distance to the five nearest training rows (Angiulli & Pizzuti 2002), by brute force. All
 * distances of a block come from one Gemm of the tensor runtime, ‖y‖² − 2·x·yᵀ, which also finds the nearest; their
 * distances are then taken once more in double precision, as the Gemm's are differences of large squares. Holds 8·n·d
 * bytes and a block of 32 MiB. With fewer than five training rows all of them count; rejects when there is none.
 */
export async function fitKnn(train: Float32Array, n: number, d: number): Promise<Baseline> {
  checkTraining(NAME, train, n, d, 1)
  const origin = columnMeans(train, n, d)
  const points = centred(train, n, origin)
  const squares = new Float32Array(n)
  const zero = new Float32Array(d)
  for (let i = 0; i < n; i++) squares[i] = squaredDistance(points.subarray(i * d, (i + 1) * d), zero)
  const k = Math.min(NEIGHBOURS, n)
  const session = await ort.InferenceSession.create(nearestGraph(n, d, k))
  const fixed = {
    points: new ort.Tensor('float32', points, [n, d]),
    squares: new ort.Tensor('float32', squares, [1, n]),
  }
  const most = Math.max(1, Math.floor(BLOCK_BYTES / (4 * n)))
  return {
    name: NAME,
    async score(rows, count) {
      checkRows(NAME, rows, count, d)
      const x = centred(rows, count, origin)
      const scores = new Float64Array(count)
      for (let first = 0; first < count; first += most) {
        const block = Math.min(most, count - first)
        const values = x.subarray(first * d, (first + block) * d)
        const result = await session.run({ x: new ort.Tensor('float32', values, [block, d]), ...fixed })
        const nearest = result.nearest_indices?.data as BigInt64Array // TopK's indices are of this type
        for (let r = 0; r < block; r++) {
          const row = values.subarray(r * d, (r + 1) * d)
          let sum = 0
          for (let j = 0; j < k; j++) {
            const at = Number(nearest[r * k + j]!) * d
            sum += Math.sqrt(squaredDistance(row, points.subarray(at, at + d)))
          }
          scores[first + r] = sum / k
        }
      }
      checkScores(NAME, scores)
      return scores
    },
    release: () => session.release(),
  }
}

/** `x` [b, d] → `nearest_indices` [b, k], the training rows nearest to each row, in no order. */
function nearestGraph(n: number, d: number, k: number): Uint8Array {
  const g = new OnnxGraph('nearest neighbours')
  const inputs = [g.input('x', 'float', ['b', d]), g.input('points', 'float', [n, d])]
  inputs.push(g.input('squares', 'float', [1, n]))
  const distance = g.node('Gemm', inputs, { transB: { int: 1 }, alpha: { float: -2 } })
  g.node('TopK', [distance, g.axes(k)], { largest: { int: 0 }, sorted: { int: 0 } }, 'nearest')
  g.output('nearest_indices', 'int64', ['b', k])
  return g.build()
}

/** Rows around the training rows' mean: a common offset would take digits from the Gemm's distances. */
function centred(rows: Float32Array, n: number, origin: Float64Array): Float32Array {
  const d = origin.length
  const moved = new Float32Array(n * d)
  for (let at = 0; at < moved.length; ) {
    for (let j = 0; j < d; j++, at++) moved[at] = rows[at]! - origin[j]!
  }
  return moved
}
