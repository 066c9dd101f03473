import type { DuckDBVector } from '@duckdb/node-api'
import type { WindowBlock } from '../windows/block.ts'
import type { Opened } from './aggregate.ts'
import { union } from './aggregate.ts'
import { BlockBuilder } from './blocks.ts'
import { HistoryError } from './error.ts'
import { WINDOW_FORMS } from './layout.ts'
import { finiteOrNaN, selectRows } from './parts.ts'
import { spanLength, timeSpans } from './spans.ts'
import type { History, WindowRequest } from './types.ts'

/** Values of one time span, windows × features: 64 MB in DuckDB's sort, more than one node's file of the report. */
const SPAN_CELLS = 8_000_000

/** Columns in front of the features: window start, node, label. */
const KEYS = 3

/** Throws HistoryError where a request asks for other windows than the files hold. */
export function checkRequest(request: WindowRequest, fixed: NonNullable<History['fixed']>): void {
  const { lengthSeconds, everySeconds, statistics, ddof } = request
  if (lengthSeconds !== fixed.lengthSeconds || everySeconds !== fixed.lengthSeconds) {
    throw new HistoryError(
      `the history holds finished windows of ${fixed.lengthSeconds} s; asked for were ${lengthSeconds} s every ${everySeconds} s`,
    )
  }
  const spread = statistics.filter((statistic) => statistic === 'var' || statistic === 'std')
  if (spread.length > 0 && ddof !== fixed.ddof) {
    throw new HistoryError(
      `the history holds finished windows with ddof ${fixed.ddof}; ${spread.join(', ')} with ddof ${ddof} can't be made from them`,
    )
  }
  const pooled = request.metrics.find((metric) => metric.sensors.length !== 1)
  if (pooled) {
    throw new HistoryError(
      `the history holds finished windows, which can't be pooled; metric ${pooled.name} pools ${pooled.sensors.join(', ')}`,
    )
  }
}

/** Finished windows as they stand in the files, ordered by (start, node). */
export async function* finishedWindows(
  opened: Opened,
  request: WindowRequest,
  blockRows: number,
  spacingMs: number,
  signal?: AbortSignal,
): AsyncGenerator<WindowBlock> {
  const { database, parts, nodes } = opened
  const { metrics, statistics } = request
  const nodeIndex = new Map(nodes.map((name, i) => [name, i]))
  const features = metrics.length * statistics.length
  const builder = new BlockBuilder(blockRows, features, metrics.length)
  const counts = new Float64Array(metrics.length)
  const fitting = Math.max(1, Math.floor(SPAN_CELLS / (nodes.length * features))) * spacingMs
  const step = spanLength(parts, fitting, spacingMs)
  let [lastStart, lastNode] = [Number.NaN, -1]

  for (const { from, to } of timeSpans(parts, opened.fromMs, opened.toMs, step)) {
    const rows = union(parts.map((part) => selectRows(part, from, to, featureColumns(part, request))))
    if (rows === null) continue
    const query = `SELECT t::DOUBLE, n, l, * EXCLUDE (t, n, l) FROM (${rows}) ORDER BY t, n`
    for await (const chunk of database.stream(query, signal)) {
      const vectors = Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnVector(i))
      const table = transpose(vectors, KEYS, chunk.rowCount)
      for (let row = 0; row < chunk.rowCount; row++) {
        const start = vectors[0]?.getItem(row) as number
        const node = nodeIndex.get(vectors[1]?.getItem(row) as string) as number // all names are known
        const label = (vectors[2]?.getItem(row) as number | null) ?? -1
        if (start === lastStart && node === lastNode) {
          throw new HistoryError(
            `node ${nodes[node]} has two windows at ${new Date(start).toISOString()}; keep one`,
          )
        }
        ;[lastStart, lastNode] = [start, node]
        let present = 0
        counts.fill(0)
        const values = table.subarray(row * features, (row + 1) * features)
        for (let f = 0; f < features; f++) {
          if (Number.isNaN(values[f])) continue
          present++
          counts[Math.floor(f / statistics.length)] = 1
        }
        const block = present > 0 ? builder.push(node, start, label, values, counts) : null
        if (block) yield block
      }
    }
  }
  const block = builder.rest()
  if (block) yield block
}

/** Values of the vectors from `first` on, row-major; vector by vector, which is the order in memory. */
function transpose(vectors: readonly DuckDBVector[], first: number, rows: number): Float64Array {
  const columns = vectors.length - first
  const table = new Float64Array(rows * columns)
  for (let c = 0; c < columns; c++) {
    const vector = vectors[c + first]! // c + first < length
    for (let row = 0; row < rows; row++) table[row * columns + c] = vector.getItem(row) as number
  }
  return table
}

/** One column f0, f1, … a feature; var and std follow from each other. */
function featureColumns(part: Opened['parts'][number], request: WindowRequest): string {
  const { windows, form } = part.layout
  const held: readonly string[] =
    form === 'public' ? WINDOW_FORMS.public.statistics : WINDOW_FORMS.report.statistics
  const columns = request.metrics.flatMap((metric) => {
    const found = windows.get(metric.sensors[0] ?? '')
    return request.statistics.map((statistic) => {
      const column = (name: string) => finiteOrNaN(found?.[held.indexOf(name)])
      if (held.includes(statistic)) return column(statistic)
      // Through NaN both stay NaN.
      return statistic === 'std' ? `sqrt(${column('var')})` : `pow(${column('std')}, 2)`
    })
  })
  return columns.map((sql, i) => `${sql} AS f${i}`).join(', ')
}
