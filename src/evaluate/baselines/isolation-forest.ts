import { createRandom, type Random } from '../../model/random.ts'
import { type Baseline, checkTraining, rowByRow } from './baseline.ts'

const TREES = 200
/** Training rows of one tree. */
const SAMPLE = 256
const EULER = 0.5772156649015329

/** Nodes of one tree by index, the root first. */
interface Tree {
  /** Feature of the split; -1 in a leaf. */
  feature: Int32Array
  /** A row goes left when its value is at most this. In a leaf: the path length of a row that ends here. */
  value: Float64Array
  /** The right child stands at this index, the left one right behind its parent. */
  right: Int32Array
}

/**
 * Isolation forest (Liu, Ting & Zhou 2008): 2^(−mean path length / c(ψ)) over 200 trees of ψ = 256 rows each, grown to
 * a depth of log₂ ψ by splits at random values of random features; features that are constant in a node are passed
 * over. Same seed and rows, same forest. Throws when there are fewer than 2 training rows.
 */
export function fitIsolationForest(train: Float32Array, n: number, d: number, seed = 0): Baseline {
  checkTraining('isolation forest', train, n, d, 2)
  const random = createRandom(seed)
  const sample = Math.min(SAMPLE, n)
  const trees = Array.from({ length: TREES }, () => growTree(train, d, drawRows(n, sample, random), random))
  const usual = meanPath(sample)
  return rowByRow('isolation forest', d, (row) => {
    // A sum over the row is NaN where a value is; comparisons alone would not notice.
    let sum = 0
    for (let j = 0; j < d; j++) sum += 0 * row[j]!
    for (const tree of trees) sum += pathLength(tree, row)
    return 2 ** (-sum / TREES / usual)
  })
}

function pathLength({ feature, value, right }: Tree, row: Float32Array): number {
  let node = 0
  for (;;) {
    const f = feature[node]!
    if (f < 0) return value[node]!
    node = row[f]! <= value[node]! ? node + 1 : right[node]!
  }
}

/** Mean path length of an unsuccessful search among n rows: equation 1 of the paper. */
function meanPath(n: number): number {
  if (n < 2) return 0
  return n === 2 ? 1 : 2 * (Math.log(n - 1) + EULER) - (2 * (n - 1)) / n
}

function growTree(train: Float32Array, d: number, rows: Int32Array, random: Random): Tree {
  const [feature, value, right]: [number[], number[], number[]] = [[], [], []]
  const mostDepth = Math.ceil(Math.log2(rows.length))
  const features = Int32Array.from({ length: d }, (_, j) => j)
  const grow = (from: number, to: number, depth: number): void => {
    const split =
      to - from < 2 || depth >= mostDepth ? null : drawSplit(train, d, rows, from, to, features, random)
    const node = feature.length
    feature.push(split?.feature ?? -1)
    value.push(split?.value ?? depth + meanPath(to - from))
    right.push(0)
    if (split === null) return
    let middle = from
    for (let i = from; i < to; i++) {
      const row = rows[i]!
      if (train[row * d + split.feature]! > split.value) continue
      rows[i] = rows[middle]!
      rows[middle++] = row
    }
    grow(from, middle, depth + 1)
    right[node] = feature.length
    grow(middle, to, depth + 1)
  }
  grow(0, rows.length, 0)
  return {
    feature: Int32Array.from(feature),
    value: Float64Array.from(value),
    right: Int32Array.from(right),
  }
}

/** A random feature that varies over the rows from … to, and a value within its range; null when none varies. */
function drawSplit(
  train: Float32Array,
  d: number,
  rows: Int32Array,
  from: number,
  to: number,
  features: Int32Array,
  random: Random,
): { feature: number; value: number } | null {
  // Draws without replacement: what was drawn moves to the front of the list.
  for (let drawn = 0; drawn < d; drawn++) {
    const at = drawn + random.integer(d - drawn)
    const feature = features[at]!
    features[at] = features[drawn]!
    features[drawn] = feature
    let low = Infinity
    let high = -Infinity
    for (let i = from; i < to; i++) {
      const v = train[rows[i]! * d + feature]!
      if (v < low) low = v
      if (v > high) high = v
    }
    // Below `high` in double precision, as both ends are floats: neither side is empty.
    if (low < high) return { feature, value: low + (high - low) * random.uniform() }
  }
  return null
}

/** `count` of the row numbers 0 … n − 1, without replacement (Floyd's algorithm). */
function drawRows(n: number, count: number, random: Random): Int32Array {
  const drawn = new Set<number>()
  for (let i = n - count; i < n; i++) {
    const row = random.integer(i + 1)
    drawn.add(drawn.has(row) ? i : row)
  }
  return Int32Array.from(drawn)
}
