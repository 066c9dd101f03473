import { exadataColumns, type Opened, union } from './aggregate.ts'
import { finite, selectRows } from './parts.ts'
import { spanLength, timeSpans } from './spans.ts'

/** A run of raw samples in time order; arrays hold `count` entries. */
export interface SampleBatch {
  count: number
  node: Int32Array
  sensor: Int32Array
  value: Float64Array
  timeMs: Float64Array
}

/** Samples handed on at once: 1.5 MB. */
const BATCH = 65_536
/** Samples that one query may be expected to sort: 32 MB in DuckDB. */
const SPAN_SAMPLES = 4_000_000

/** All samples ordered by (time, node), of one time and node in the order of the sensors. */
export async function* readSamples(
  opened: Opened,
  sensors: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<SampleBatch> {
  const { database, parts, nodes } = opened
  const long = parts[0]?.layout.layout === 'exadata'
  const nodeIndex = new Map(nodes.map((name, i) => [name, i]))
  const sensorIndex = new Map(sensors.map((name, i) => [name, i]))
  const measured = parts.filter((part) => part.layout.form !== 'exadata-labels')
  const rows = measured.flatMap((part) => part.files).reduce((sum, file) => sum + file.rows, 0)
  const cells = rows * (long ? 1 : sensors.length)
  const fitting = Math.max(1, Math.floor((SPAN_SAMPLES * (opened.toMs - opened.fromMs + 1)) / cells))
  const step = spanLength(measured, fitting, 1)
  let batch = emptyBatch()

  for (const { from, to } of timeSpans(measured, opened.fromMs, opened.toMs, step)) {
    const select = union(
      measured.map((part) => {
        const wide = () =>
          sensors.map((name, i) => `${finite(part.layout.sensors.get(name))} AS s${i}`).join(', ')
        return selectRows(part, from, to, long ? exadataColumns(part) : wide())
      }),
    )
    if (select === null) continue
    const query = `SELECT t::DOUBLE, n, * EXCLUDE (t, n, l) FROM (${select}) ORDER BY t, n${long ? ', sensor' : ''}`
    for await (const chunk of database.stream(query, signal)) {
      const vectors = Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnVector(i))
      for (let row = 0; row < chunk.rowCount; row++) {
        const time = vectors[0]?.getItem(row) as number
        const node = nodeIndex.get(vectors[1]?.getItem(row) as string) as number // all names are known
        const first = long ? 3 : 2
        for (let column = first; column < vectors.length; column++) {
          const value = vectors[column]?.getItem(row) as number | null
          if (value === null) continue
          const at = batch.count++
          batch.timeMs[at] = time
          batch.node[at] = node
          batch.sensor[at] = long
            ? (sensorIndex.get(vectors[2]?.getItem(row) as string) as number)
            : column - first
          batch.value[at] = value
          if (batch.count === BATCH) {
            yield batch
            batch = emptyBatch()
          }
        }
      }
    }
  }
  const { count } = batch
  if (count === 0) return
  yield {
    count,
    node: batch.node.subarray(0, count),
    sensor: batch.sensor.subarray(0, count),
    value: batch.value.subarray(0, count),
    timeMs: batch.timeMs.subarray(0, count),
  }
}

function emptyBatch(): SampleBatch {
  return {
    count: 0,
    node: new Int32Array(BATCH),
    sensor: new Int32Array(BATCH),
    value: new Float64Array(BATCH),
    timeMs: new Float64Array(BATCH),
  }
}
