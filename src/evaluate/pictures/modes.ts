/** What is typical of each operating mode, and a short name that says so. */
import type { Manifest } from '../../model/manifest.ts'
import type { FeatureSchema, Statistic } from '../../windows/schema.ts'
import { nameModes } from './mode-names.ts'
import type { ReferenceScores } from './reference-windows.ts'

export interface ModeProfile {
  mode: number
  name: string
  /** Share of the training windows. */
  share: number
  /** Windows that the means are over. */
  windows: number
  /** Mean of each metric in its unit, in the order of the schema; NaN without windows. */
  mean: Float64Array
  /** Mean standard deviation within a window, same order; NaN where the schema has none. */
  deviation: Float64Array
  /** Node with the most windows of the mode, and its share of them; null where nodes are not known. */
  typicalNode: { node: string; share: number } | null
}

export interface ModeTable {
  metrics: { name: string; unit: string }[]
  modes: ModeProfile[]
  /** Indices of the metrics that tell the modes apart best, most telling first. */
  telling: number[]
}

/** How the level of a metric is read from its statistics: the first that the schema has. */
const LEVEL: readonly Statistic[] = ['avg', 'max', 'min']

/** From the reference windows whose node is known; null where the bundle does not tell it for any. */
export function modeTable(manifest: Manifest, reference: ReferenceScores): ModeTable | null {
  const { schema, scaler } = manifest
  const units = manifest.catalogue?.units ?? {}
  const metrics = schema.metrics.map(({ name }) => ({ name, unit: units[name] ?? '' }))
  const rowsOf = manifest.modes.map((): number[] => [])
  for (let row = 0; row < reference.rows; row++) {
    if (reference.node[row] !== -1) rowsOf[reference.mode[row]!]!.push(row) // one mode a row
  }
  if (rowsOf.every((rows) => rows.length === 0)) return null
  const level = columnOf(schema, LEVEL)
  const spread = columnOf(schema, ['std', 'var'])
  const d = metrics.length * schema.statistics.length
  const modes = rowsOf.map(
    (rows, mode): Omit<ModeProfile, 'name'> => ({
      mode,
      share: manifest.modes[mode]?.share ?? 0,
      windows: rows.length,
      mean: meansOf(reference.values, d, rows, level.columns, (value) => value),
      deviation: meansOf(reference.values, d, rows, spread.columns, (value) =>
        spread.statistic === 'var' ? Math.sqrt(Math.max(0, value)) : value,
      ),
      typicalNode: typicalNode(reference.node, rows, scaler.nodes),
    }),
  )
  const within = withinSpread(reference.values, d, rowsOf, level.columns, modes)
  const standing = standOut(modes, within)
  const telling = tellingMetrics(metrics, modes, standing)
  return {
    metrics,
    modes: nameModes(metrics, modes, standing, telling).map((name, i) => ({ ...modes[i]!, name })), // one name a mode
    telling,
  }
}

/** Column of each metric's statistic, the first of `wanted` that the schema has; -1 where it has none. */
function columnOf(
  schema: FeatureSchema,
  wanted: readonly Statistic[],
): { statistic: Statistic | undefined; columns: number[] } {
  const { statistics } = schema
  const statistic = wanted.find((name) => statistics.includes(name))
  const offset = statistic === undefined ? -1 : statistics.indexOf(statistic)
  return {
    statistic,
    columns: schema.metrics.map((_, m) => (offset === -1 ? -1 : m * statistics.length + offset)),
  }
}

function meansOf(
  values: Float64Array,
  d: number,
  rows: readonly number[],
  columns: readonly number[],
  of: (value: number) => number,
): Float64Array {
  return Float64Array.from(columns, (column) => {
    if (column === -1) return Number.NaN
    let sum = 0
    for (const row of rows) sum += of(values[row * d + column]!) // rows × d
    return sum / rows.length
  })
}

/** Standard deviation of each metric around its mode's mean, over all windows. */
function withinSpread(
  values: Float64Array,
  d: number,
  rowsOf: readonly (readonly number[])[],
  columns: readonly number[],
  modes: readonly Pick<ModeProfile, 'mean'>[],
): Float64Array {
  const total = rowsOf.reduce((sum, rows) => sum + rows.length, 0)
  return Float64Array.from(columns, (column, m) => {
    if (column === -1) return Number.NaN
    let squares = 0
    rowsOf.forEach((rows, mode) => {
      const mean = modes[mode]!.mean[m]! // one profile a mode, one mean a metric
      for (const row of rows) squares += (values[row * d + column]! - mean) ** 2
    })
    return Math.sqrt(squares / total)
  })
}

/** Spreads are not taken as smaller than this share of a metric's range over the modes: a constant would divide by 0. */
const LEAST_SPREAD = 0.05

/**
 * modes × metrics: how far a mode's mean lies from that of all windows, in spreads within modes; 0 for a mode
 * without windows.
 */
function standOut(modes: readonly Omit<ModeProfile, 'name'>[], within: Float64Array): Float64Array[] {
  const used = modes.filter(({ windows }) => windows > 0)
  const total = used.reduce((sum, { windows }) => sum + windows, 0)
  const overall = within.map(
    (_, m) => used.reduce((sum, mode) => sum + mode.windows * mode.mean[m]!, 0) / total,
  )
  const range = within.map((_, m) => {
    const means = used.map(({ mean }) => mean[m]!)
    return Math.max(...means) - Math.min(...means)
  })
  return modes.map(({ windows, mean }) =>
    mean.map((value, m) => {
      const spread = Math.max(within[m]!, LEAST_SPREAD * range[m]!)
      return windows === 0 || !(spread > 0) ? 0 : (value - overall[m]!) / spread
    }),
  )
}

/** Columns of a table that a reader can take in. */
const MOST_TELLING = 5
/** Two metrics that go together over the modes like this say the same. */
const SAME = 0.97

/** Metrics by the variance between modes in units of that within, leaving out what says the same as an earlier one. */
function tellingMetrics(
  metrics: readonly { name: string; unit: string }[],
  modes: readonly Omit<ModeProfile, 'name'>[],
  standing: readonly Float64Array[],
): number[] {
  const weight = (m: number) =>
    modes.reduce((sum, { windows }, mode) => sum + windows * standing[mode]![m]! ** 2, 0)
  const ranked = metrics
    .map((_, m) => ({ m, weight: weight(m) }))
    .filter((entry) => entry.weight > 0)
    .sort((a, b) => b.weight - a.weight)
  const chosen: number[] = []
  for (const { m } of ranked) {
    if (chosen.length === MOST_TELLING) break
    const column = standing.map((row) => row[m]!)
    const repeats = (other: number) =>
      metrics[m]?.unit === metrics[other]?.unit &&
      Math.abs(
        correlation(
          column,
          standing.map((row) => row[other]!),
        ),
      ) > SAME
    if (!chosen.some(repeats)) chosen.push(m)
  }
  return chosen
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanA, meanB] = [mean(a), mean(b)]
  let ab = 0
  let aa = 0
  let bb = 0
  a.forEach((value, i) => {
    const [x, y] = [value - meanA, b[i]! - meanB] // both one entry a mode
    ab += x * y
    aa += x * x
    bb += y * y
  })
  return aa * bb === 0 ? 0 : ab / Math.sqrt(aa * bb)
}

function typicalNode(
  node: Int32Array,
  rows: readonly number[],
  names: readonly string[],
): ModeProfile['typicalNode'] {
  const counts = new Map<number, number>()
  for (const row of rows) counts.set(node[row]!, (counts.get(node[row]!) ?? 0) + 1) // one node a row
  const [most] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])
  const name = most === undefined ? undefined : names[most[0]]
  return most === undefined || name === undefined ? null : { node: name, share: most[1] / rows.length }
}
