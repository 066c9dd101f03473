/** The windows that a bundle keeps, scored by its own graph: the material of the training part of a report. */
import type { Bundle } from '../../model/bundle.ts'
import { SCORE_ROWS, Scorer } from '../../model/scorer.ts'
import { doubleTensor, floatTensor, readTensors } from '../../model/tensors.ts'
import { featureCount } from '../../windows/schema.ts'

export interface ReferenceScores {
  rows: number
  /** The first so many are training windows, the others calibration windows. */
  train: number
  /** Index into the scaler's nodes; -1 where the bundle does not tell. */
  node: Int32Array
  /** rows × d raw features; meaningless where the node is not known. Missing ones hold what they were imputed with. */
  values: Float64Array
  /** rows × c. */
  code: Float32Array
  /** Nearest mode. */
  mode: Int32Array
  /** k × c. */
  centres: Float32Array
  codeSize: number
}

export async function scoreReference(bundle: Bundle, signal?: AbortSignal): Promise<ReferenceScores> {
  const { schema, reference, network, modes } = bundle.manifest
  const d = featureCount(schema)
  const rows = bundle.reference.length / d
  const node = new Int32Array(rows).fill(-1)
  fillRuns(node, 0, reference.trainNodes ?? [])
  fillRuns(node, reference.train, reference.calibration)
  const tensors = readTensors(bundle.model)
  const values = unscale(bundle, node, doubleTensor(tensors, 'lo'), doubleTensor(tensors, 'range'))
  const codeSize = network.widths[network.codeLayer] ?? 0
  const k = modes.length
  const code = new Float32Array(rows * codeSize)
  const mode = new Int32Array(rows)
  const scorer = await Scorer.create(bundle.model, d)
  try {
    for (let first = 0; first < rows; first += SCORE_ROWS) {
      signal?.throwIfAborted()
      const n = Math.min(SCORE_ROWS, rows - first)
      const block = values.subarray(first * d, (first + n) * d)
      // The same row of the scaler that unscaled them: 0 where the node is not known.
      const scores = await scorer.score(
        block,
        node.slice(first, first + n).map((i) => i + 1),
        n,
      )
      code.set(scores.code.subarray(0, n * codeSize), first * codeSize)
      for (let i = 0; i < n; i++) mode[first + i] = nearest(scores.q, i, k)
    }
  } finally {
    await scorer.release()
  }
  return {
    rows,
    train: reference.train,
    node,
    values,
    code,
    mode,
    centres: floatTensor(tensors, 'centres'),
    codeSize,
  }
}

function fillRuns(node: Int32Array, first: number, runs: readonly (readonly [number, number])[]): void {
  let at = first
  for (const [index, windows] of runs) {
    node.fill(index, at, at + windows)
    at += windows
  }
}

/** The inverse of the graph's scaling. */
function unscale(bundle: Bundle, node: Int32Array, lo: Float64Array, range: Float64Array): Float64Array {
  const { transforms } = bundle.manifest.schema
  const d = transforms.length
  return Float64Array.from(bundle.reference, (scaled, i) => {
    const f = i % d
    const at = (node[Math.floor(i / d)]! + 1) * d + f // one node a row
    const value = scaled * range[at]! + lo[at]! // (nodes + 1) × d
    return transforms[f] === 'log1p' ? Math.expm1(value) : value
  })
}

function nearest(q: Float32Array, row: number, k: number): number {
  let best = 0
  for (let j = 1; j < k; j++) if (q[row * k + j]! > q[row * k + best]!) best = j // rows × k
  return best
}
