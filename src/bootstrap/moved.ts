/** What a retraining has changed, seen on windows of the new training. */
import { minimumCostMatching } from '../evaluate/clustering.ts'
import { codeSize } from '../model/graphs.ts'
import type { Moved } from '../model/manifest.ts'
import { SCORE_ROWS, Scorer, type Scores } from '../model/scorer.ts'
import { featureNames } from '../windows/schema.ts'
import type { WindowStore } from '../windows/store.ts'
import { indicesOf } from './draw.ts'
import type { Prepared } from './prepare.ts'
import type { Trained } from './train.ts'
import type { OldModel } from './warm.ts'

/** Windows looked at, evenly drawn: shares are known to half a percent. */
const MOST_WINDOWS = 20_000
/** Features told of, those whose range changed most. */
const RANGES = 10

/** `model` is the new scoring graph, `threshold` that of its calibration. */
export async function whatMoved(
  old: OldModel,
  prepared: Prepared,
  trained: Pick<Trained, 'network' | 'dec'>,
  model: Uint8Array,
  threshold: number,
): Promise<Moved> {
  const { store, nodes, selection } = prepared
  const stride = Math.max(1, Math.ceil(selection.train / MOST_WINDOWS))
  const drawn = indicesOf(store, 'train', (position) => position % stride === 0).map(({ index }) => index)
  const known = new Map(old.bundle.manifest.scaler.nodes.map((node, i) => [node, i + 1]))
  const k = trained.dec.shares.length
  const c = codeSize(trained.network)
  const before = await look(
    store,
    drawn,
    old.bundle.model,
    [k, c],
    (node) => known.get(nodes[node] ?? '') ?? 0,
  )
  const after = await look(store, drawn, model, [k, c], (node) => node + 1)
  const { oldOf, changed } = match(before.mode, after.mode, k)
  const spread = spreads(after, trained.dec.centres, c)
  return {
    from: old.bundle.version,
    windows: drawn.length,
    error: { before: before.error, after: after.error },
    threshold: { before: old.bundle.manifest.calibration.threshold, after: threshold },
    changedMode: changed,
    modes: Array.from({ length: k }, (_, mode) => {
      const was = oldOf[mode] ?? mode // one entry a mode
      return {
        mode,
        was,
        shareBefore: share(before.mode, was),
        shareAfter: share(after.mode, mode),
        moved: distance(trained.dec.centres, mode, old.start.centres, was, c) / (spread[mode] || 1),
      }
    }),
    ranges: rangeChanges(old, prepared),
  }
}

interface Look {
  /** Most likely mode of each window. */
  mode: Int32Array
  /** windows × c. */
  code: Float32Array
  /** Mean squared residual a feature, in the model's scaled units, over the values that are there. */
  error: number
}

async function look(
  store: WindowStore,
  drawn: readonly number[],
  model: Uint8Array,
  [k, c]: [modes: number, codeSize: number],
  scalerRow: (node: number) => number,
): Promise<Look> {
  const scorer = await Scorer.create(model, store.features)
  const mode = new Int32Array(drawn.length)
  const code = new Float32Array(drawn.length * c)
  let sum = 0
  let present = 0
  try {
    for (let first = 0; first < drawn.length; first += SCORE_ROWS) {
      const { rows, node, values } = store.pick(drawn.slice(first, first + SCORE_ROWS))
      const scores = await scorer.score(values, node.map(scalerRow), rows)
      for (let i = 0; i < rows; i++) mode[first + i] = mostLikely(scores, i, k)
      code.set(scores.code.subarray(0, rows * c), first * c)
      for (let i = 0; i < values.length; i++) {
        if (Number.isNaN(values[i])) continue
        sum += scores.squaredResidual[i]! // one a value
        present++
      }
    }
  } finally {
    await scorer.release()
  }
  return { mode, code, error: sum / Math.max(1, present) }
}

function mostLikely({ q }: Scores, row: number, k: number): number {
  let best = 0
  for (let j = 1; j < k; j++) if (q[row * k + j]! > q[row * k + best]!) best = j // within the row
  return best
}

/** The matching of new to old modes that most windows agree with, and the share of those that do not. */
function match(before: Int32Array, after: Int32Array, k: number): { oldOf: Int32Array; changed: number } {
  const costs = new Float64Array(k * k)
  after.forEach((mode, i) => {
    costs[mode * k + before[i]!]!-- // both of the same length, modes below k
  })
  const oldOf = minimumCostMatching(costs, k, k)
  let changed = 0
  after.forEach((mode, i) => {
    if (oldOf[mode] !== before[i]) changed++
  })
  return { oldOf, changed: changed / after.length }
}

/** Root mean square distance of a mode's codes from its centre; 0 for a mode without windows. */
function spreads({ mode, code }: Look, centres: Float32Array, c: number): Float64Array {
  const sums = new Float64Array(centres.length / c)
  const counts = new Float64Array(sums.length)
  mode.forEach((m, i) => {
    sums[m]! += distance(code, i, centres, m, c) ** 2 // modes are below k
    counts[m]!++
  })
  return sums.map((sum, m) => (counts[m] === 0 ? 0 : Math.sqrt(sum / counts[m]!)))
}

function distance(a: Float32Array, rowA: number, b: Float32Array, rowB: number, c: number): number {
  let sum = 0
  for (let f = 0; f < c; f++) sum += (a[rowA * c + f]! - b[rowB * c + f]!) ** 2 // rows of c values
  return Math.sqrt(sum)
}

function share(modes: Int32Array, mode: number): number {
  return modes.reduce((n, m) => n + (m === mode ? 1 : 0), 0) / modes.length
}

/** Ranges of the fleet that changed most, each end by the old range; in raw units. */
function rangeChanges(old: OldModel, { scaler, schema }: Prepared): Moved['ranges'] {
  const raw = (f: number, value: number): number =>
    schema.transforms[f] === 'log1p' ? Math.expm1(value) : value
  return featureNames(schema)
    .map((feature, f) => {
      // One entry a feature; row 0 of the scaler is the fleet's.
      const [lo, range] = [old.lo[f]!, old.range[f]!]
      const [newLo, newRange] = [scaler.lo[f]!, scaler.range[f]!]
      return {
        feature,
        before: [raw(f, lo), raw(f, lo + range)] as [number, number],
        after: [raw(f, newLo), raw(f, newLo + newRange)] as [number, number],
        change: (Math.abs(newLo - lo) + Math.abs(newLo + newRange - lo - range)) / range,
      }
    })
    .sort((a, b) => b.change - a.change)
    .slice(0, RANGES)
}
