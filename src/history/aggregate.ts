import type { DuckDBDataChunk, DuckDBVector } from '@duckdb/node-api'
import type { WindowBlock } from '../windows/block.ts'
import type { Statistic } from '../windows/schema.ts'
import { BlockBuilder } from './blocks.ts'
import { type Database, FILE_COLUMN, identifier, literal } from './database.ts'
import { finite, type Part, selectRows } from './parts.ts'
import { spanLength, timeSpans } from './spans.ts'
import type { WindowRequest } from './types.ts'

/**
 * Aggregates of one time span, windows × sensors. At about 160 bytes of DuckDB's state each (two threads) this stays
 * within half of its memory.
 */
const SPAN_CELLS = 1_000_000

/** Fields of one sensor's moments: count, mean, population variance, max, min. */
const MOMENTS = 5
const MOMENT_SQL = (value: string) =>
  `count(${value})::INTEGER, avg(${value}), var_pop(${value}), max(${value}), min(${value})`

/** What a reader needs to know of an opened history. */
export interface Opened {
  database: Database
  parts: Part[]
  nodes: string[]
  fromMs: number
  toMs: number
}

/**
 * Windows from raw samples, ordered by (start, node). DuckDB groups one time span after the other into count, mean,
 * variance, max and min of each sensor; pools are merged here.
 */
export async function* aggregateWindows(
  opened: Opened,
  request: WindowRequest,
  blockRows: number,
  signal?: AbortSignal,
): AsyncGenerator<WindowBlock> {
  const { database, parts, nodes } = opened
  const sensors = [...new Set(request.metrics.flatMap((metric) => metric.sensors))]
  const sensorIndex = new Map(sensors.map((name, i) => [name, i]))
  const nodeIndex = new Map(nodes.map((name, i) => [name, i]))
  const [lengthMs, everyMs] = [request.lengthSeconds * 1000, request.everySeconds * 1000]
  const long = parts[0]?.layout.layout === 'exadata'
  const moments = new Float64Array(sensors.length * MOMENTS)
  const finish = windowMaker(request, sensorIndex, moments, blockRows)
  // The earliest window that holds the first sample, and as many windows at once as a span may have.
  const first = (Math.floor((opened.fromMs - lengthMs) / everyMs) + 1) * everyMs
  const fitting = Math.max(1, Math.floor(SPAN_CELLS / (nodes.length * sensors.length))) * everyMs
  const step = spanLength(parts, fitting, everyMs)

  for (const { from, to } of timeSpans(parts, first, opened.toMs, step, lengthMs - everyMs)) {
    const end = to - everyMs + lengthMs
    const rows = long ? longRows(parts, sensors, from, end) : wideRows(parts, sensors, from, end)
    if (rows === null) continue
    const columns = long
      ? `sensor, ${MOMENT_SQL('value')}`
      : sensors.map((_, i) => MOMENT_SQL(`s${i}`)).join(', ')
    const query = groupByWindow(rows, columns, long ? 'w, n, sensor' : 'w, n', from, to, lengthMs, everyMs)
    let [start, node, label] = [Number.NaN, '', -1]
    for await (const chunk of database.stream(query, signal)) {
      const vectors = columnsOf(chunk)
      const [starts, names, labels, sensorNames] = vectors as [
        DuckDBVector,
        DuckDBVector,
        DuckDBVector,
        DuckDBVector,
      ]
      for (let row = 0; row < chunk.rowCount; row++) {
        const rowStart = starts.getItem(row) as number
        const rowNode = names.getItem(row) as string
        if (rowStart !== start || rowNode !== node) {
          const block = finish(nodeIndex.get(node), start, label)
          if (block) yield block
          ;[start, node, label] = [rowStart, rowNode, -1]
        }
        label = Math.max(label, (labels.getItem(row) as number | null) ?? -1)
        if (!long) {
          for (let field = 0; field < moments.length; field++) {
            moments[field] = (vectors[field + 3]?.getItem(row) as number | null) ?? Number.NaN
          }
          continue
        }
        const sensor = sensorIndex.get(sensorNames.getItem(row) as string)
        if (sensor === undefined) continue // a row of labels only
        for (let field = 0; field < MOMENTS; field++) {
          moments[sensor * MOMENTS + field] =
            (vectors[field + 4]?.getItem(row) as number | null) ?? Number.NaN
        }
      }
    }
    const block = finish(nodeIndex.get(node), start, label)
    if (block) yield block
  }
  const block = finish.rest()
  if (block) yield block
}

function columnsOf(chunk: DuckDBDataChunk): DuckDBVector[] {
  return Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnVector(i))
}

/** t, n, l and one column s0, s1, … a sensor. */
function wideRows(
  parts: readonly Part[],
  sensors: readonly string[],
  from: number,
  end: number,
): string | null {
  return union(
    parts.map((part) => {
      const values = sensors.map((name, i) => `${finite(part.layout.sensors.get(name))} AS s${i}`)
      return selectRows(part, from, end, values.join(', '))
    }),
  )
}

/** t, n, l, sensor and value; rows of labels have neither sensor nor value. */
function longRows(
  parts: readonly Part[],
  sensors: readonly string[],
  from: number,
  end: number,
): string | null {
  const wanted = new Set(sensors)
  return union(parts.map((part) => selectRows(part, from, end, exadataColumns(part), wanted)))
}

/** Sensor and value of a part in the exadata layout. */
export function exadataColumns(part: Part): string {
  if (part.layout.form === 'exadata-labels') return 'NULL::VARCHAR AS sensor, NULL::DOUBLE AS value'
  const column = part.layout.sensors.values().next().value
  return `regexp_extract(${identifier(FILE_COLUMN)}, ${literal('/metric=([^/]+)/[^/]+$')}, 1) AS sensor, ${finite(column)} AS value`
}

/** Rows of several parts; null when there are none. */
export function union(selects: readonly (string | null)[]): string | null {
  const some = selects.filter((select) => select !== null)
  return some.length === 0 ? null : some.join('\nUNION ALL\n')
}

/** One row a group with the columns w (window start, ms), n, l, then `columns`, ordered by `group`. */
function groupByWindow(
  rows: string,
  columns: string,
  group: string,
  from: number,
  to: number,
  lengthMs: number,
  everyMs: number,
): string {
  // A sample lies in as many windows as start within one length before it.
  const overlap = Math.ceil(lengthMs / everyMs)
  const shifts = overlap > 1 ? `, (SELECT unnest(range(${overlap})) AS shift)` : ''
  const start = `(t // ${everyMs}${overlap > 1 ? ' - shift' : ''}) * ${everyMs}`
  const gaps = lengthMs % everyMs === 0 ? '' : ` AND t - w < ${lengthMs}`
  return `SELECT w::DOUBLE, n, max(l), ${columns}
    FROM (SELECT ${start} AS w, * FROM (${rows})${shifts}) WHERE w >= ${from} AND w < ${to}${gaps}
    GROUP BY ${group} ORDER BY w, n`
}

/** Turns moments into the requested statistics, window by window, and clears them. */
function windowMaker(
  request: WindowRequest,
  sensorIndex: ReadonlyMap<string, number>,
  moments: Float64Array,
  blockRows: number,
) {
  const { metrics, statistics, ddof } = request
  const pools = metrics.map((metric) => metric.sensors.map((name) => sensorIndex.get(name) as number)) // made of them
  const builder = new BlockBuilder(blockRows, metrics.length * statistics.length, metrics.length)
  const values = new Float64Array(metrics.length * statistics.length)
  const counts = new Float64Array(metrics.length)
  const finish = (node: number | undefined, start: number, label: number): WindowBlock | null => {
    let samples = 0
    for (const [m, pool] of pools.entries()) {
      const merged = mergePool(moments, pool)
      samples += merged.count
      counts[m] = merged.count
      for (const [s, statistic] of statistics.entries()) {
        values[m * statistics.length + s] = statisticOf(merged, statistic, ddof)
      }
    }
    moments.fill(0)
    return samples > 0 && node !== undefined ? builder.push(node, start, label, values, counts) : null
  }
  return Object.assign(finish, { rest: () => builder.rest() })
}

interface Merged {
  count: number
  mean: number
  /** Sum of squared distances to the mean. */
  m2: number
  max: number
  min: number
}

/**
 * Moments of all samples of a pool, after Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
 * computing sample variances" (1979).
 */
function mergePool(moments: Float64Array, pool: readonly number[]): Merged {
  let [count, mean, m2, max, min] = [0, 0, 0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (const sensor of pool) {
    const [n = 0, average = 0, variance = 0, high = 0, low = 0] = moments.subarray(
      sensor * MOMENTS,
      (sensor + 1) * MOMENTS,
    )
    if (n === 0) continue
    const delta = average - mean
    const total = count + n
    m2 += variance * n + (delta * delta * count * n) / total
    mean = count === 0 ? average : mean + (delta * n) / total
    count = total
    max = Math.max(max, high)
    min = Math.min(min, low)
  }
  // Rounding must not give a constant series a variance.
  if (count > 0 && max === min) [mean, m2] = [max, 0]
  return { count, mean, m2, max, min }
}

function statisticOf({ count, mean, m2, max, min }: Merged, statistic: Statistic, ddof: 0 | 1): number {
  if (count === 0) return Number.NaN
  const variance = count > ddof ? m2 / (count - ddof) : 0
  switch (statistic) {
    case 'avg':
      return mean
    case 'var':
      return variance
    case 'std':
      return Math.sqrt(variance)
    case 'max':
      return max
    case 'min':
      return min
  }
}
