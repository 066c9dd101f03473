import { join } from 'node:path'
import { faultLookup } from './faults.ts'
import { type HistoryOptions, report, SLICE_MS } from './history.ts'
import type { Machine } from './machine.ts'
import { CHUNK_ROWS, quote, type StagedTable, type Staging } from './staging.ts'

const WINDOW_MS = 900_000
const STATISTICS = ['avg', 'var', 'max', 'min']
/** What all nodes' row buffers may take together. */
const BUFFER_BYTES = 64 * 2 ** 20
/** The report's tables call an anomalous window 2. */
const ANOMALOUS = 2

/** Count, moments and extremes of the samples of every (node, sensor) in the open window. */
class WindowStatistics {
  private readonly count: Int32Array
  private readonly first: Float64Array
  private readonly sum: Float64Array
  private readonly squares: Float64Array
  private readonly low: Float64Array
  private readonly high: Float64Array

  constructor(size: number) {
    this.count = new Int32Array(size)
    this.first = new Float64Array(size)
    this.sum = new Float64Array(size)
    this.squares = new Float64Array(size)
    this.low = new Float64Array(size)
    this.high = new Float64Array(size)
  }

  add(i: number, value: number): void {
    if (this.count[i]!++ === 0) {
      this.first[i] = value
      this.low[i] = value
      this.high[i] = value
      return
    }
    // Moments about the first sample: exact enough for boot times of 1.7e9 s.
    const d = value - this.first[i]!
    this.sum[i] = this.sum[i]! + d
    this.squares[i] = this.squares[i]! + d * d
    if (value < this.low[i]!) this.low[i] = value
    if (value > this.high[i]!) this.high[i] = value
  }

  /** Writes avg, var (ddof 1), max, min to `row` from `at` on; leaves it alone where there is no sample. */
  read(i: number, row: Float64Array, at: number): boolean {
    const n = this.count[i]!
    if (n === 0) return false
    const mean = this.sum[i]! / n
    row[at] = this.first[i]! + mean
    if (n > 1) row[at + 1] = Math.max(0, (this.squares[i]! - n * mean * mean) / (n - 1))
    row[at + 2] = this.high[i]!
    row[at + 3] = this.low[i]!
    return true
  }

  clear(): void {
    this.count.fill(0)
    this.sum.fill(0)
    this.squares.fill(0)
  }
}

/** The report's layout: a file a node, a row a 15-minute window that has any sample. */
export async function writeWindows(
  machine: Machine,
  staging: Staging,
  options: HistoryOptions,
  files: string[],
): Promise<void> {
  const { directory, fromMs, toMs } = options
  const sensors = machine.sensors.length
  const isFaulty = faultLookup(options.faults)
  const index = new Map(machine.sensors.map((name, i) => [name, i]))
  const statistics = new WindowStatistics(machine.nodes.length * sensors)
  const widest = 3 + STATISTICS.length * 115
  const bufferRows = Math.floor(
    BUFFER_BYTES / (machine.nodes.length * widest * Float64Array.BYTES_PER_ELEMENT),
  )
  const tables: StagedTable[] = []
  const owned: Int32Array[] = []
  for (const node of machine.nodes) {
    const features = node.sensors.flatMap((sensor) => STATISTICS.map((s) => `${s}:${sensor}`))
    const columns = ['timestamp', ...features, 'label', 'New_label']
    tables.push(await staging.table(node.name, columns, Math.min(CHUNK_ROWS, Math.max(16, bufferRows))))
    // Every sensor of a node is one of the machine's.
    owned.push(Int32Array.from(node.sensors, (name) => index.get(name)!))
  }

  const add = (node: number, sensor: number, value: number): void =>
    statistics.add(node * sensors + sensor, value)
  for (let start = Math.floor(fromMs / WINDOW_MS) * WINDOW_MS; start < toMs; start += WINDOW_MS) {
    machine.advance(Math.min(start + WINDOW_MS, toMs), add)
    for (const [n, node] of machine.nodes.entries()) {
      const { row } = tables[n]!
      const own = owned[n]!
      let any = false
      for (let i = 0; i < own.length; i++) {
        if (statistics.read(n * sensors + own[i]!, row, 1 + i * STATISTICS.length)) any = true
      }
      if (!any) continue
      const label = isFaulty(node.name, start, start + WINDOW_MS) ? ANOMALOUS : 0
      row[0] = start
      row[row.length - 2] = label
      row[row.length - 1] = label
      tables[n]!.push()
    }
    statistics.clear()
    if (start % SLICE_MS === 0) await report(options, start)
  }

  for (const [n, node] of machine.nodes.entries()) {
    tables[n]!.close()
    const path = join(directory, `${node.name}.parquet`)
    const stamp = `make_timestamp_ms("timestamp"::BIGINT) AS "timestamp"`
    const labels = 'label::INTEGER AS label, "New_label"::INTEGER AS "New_label"'
    await staging.copy(`SELECT * REPLACE (${stamp}, ${labels}) FROM ${quote(node.name)}`, path)
    await staging.connection.run(`DROP TABLE ${quote(node.name)}`)
    files.push(path)
  }
}
