import { DuckDBInstance } from '@duckdb/node-api'

/**
 * Windows of the reference data by a short SQL of its own, independent of the product's, after the protocol of the documented figures:
 * tumbling windows of 15 minutes, min-max with the range of the training file.
 */

const WINDOW_MS = 15 * 60_000
/** Values are clipped to the training range [0, 1] prolonged by four of its lengths to either side. */
const CLIP_LOW = -4
const CLIP_HIGH = 5

export interface Windows {
  n: number
  d: number
  /** n × d, row-major. */
  values: Float64Array
  label: Int8Array
}

/** Tumbling windows: avg, population deviation, min and max of every metric, anomalous when any sample is. */
export async function readWindows(file: string): Promise<Windows> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM '${file}'`)
  const columns = described.getRows().map(([name]) => String(name))
  const metrics = columns.filter((name) => /^k\d+$/.test(name))
  const statistics = metrics.flatMap((m) =>
    [`avg(${m})`, `stddev_pop(${m})`, `min(${m})`, `max(${m})`].map((sql) => `CAST(${sql} AS DOUBLE)`),
  )
  const label = columns.includes('label') ? 'max(label)' : '0'
  const result = await connection.runAndReadAll(
    `SELECT CAST(${label} AS DOUBLE), ${statistics.join(', ')} FROM '${file}'
     GROUP BY epoch_ms(timestamp) // ${WINDOW_MS} ORDER BY epoch_ms(timestamp) // ${WINDOW_MS}`,
  )
  connection.closeSync()
  const rows = result.getRows() as number[][] // every column is cast to DOUBLE
  return {
    n: rows.length,
    d: statistics.length,
    values: Float64Array.from(rows.flatMap((row) => row.slice(1))),
    label: Int8Array.from(rows, (row) => row[0] ?? -1),
  }
}

/** Min-max with the range of the training windows; a feature without a range is shifted only, as scikit-learn does. */
export function scale(train: Windows, { n, d, values }: Windows): Float32Array {
  const lo = new Float64Array(d).fill(Infinity)
  const hi = new Float64Array(d).fill(-Infinity)
  for (const [i, value] of train.values.entries()) {
    lo[i % d] = Math.min(lo[i % d] ?? 0, value)
    hi[i % d] = Math.max(hi[i % d] ?? 0, value)
  }
  return Float32Array.from({ length: n * d }, (_, i) => {
    const low = lo[i % d] ?? 0
    const range = (hi[i % d] ?? 0) - low || 1
    return Math.min(CLIP_HIGH, Math.max(CLIP_LOW, ((values[i] ?? Number.NaN) - low) / range))
  })
}
