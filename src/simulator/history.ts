import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { writeExadata } from './exadata.ts'
import { type Fault, faultLookup } from './faults.ts'
import { Machine } from './machine.ts'
import { TICK_MS } from './node.ts'
import { SENSORS } from './sensors.ts'
import { quote, Staging, text } from './staging.ts'
import { writeTruth } from './truth.ts'
import { writeWindows } from './windows.ts'

export const HISTORY_LAYOUTS = ['samples', 'exadata', 'windows'] as const
export type HistoryLayout = (typeof HISTORY_LAYOUTS)[number]

export interface HistoryOptions {
  directory: string
  layout: HistoryLayout
  nodes: number
  seed: number
  /** ms since the epoch; multiples of 15 min give whole windows. */
  fromMs: number
  toMs: number
  faults: readonly Fault[]
  /** Called now and then with the share done, 0 … 1. */
  progress?: (share: number) => void
  /** Ends the work; what was written is removed. */
  signal?: AbortSignal
}

/** How far the machine runs before writers look at their buffers and progress is told. */
export const SLICE_MS = 3_600_000
/** A part file of wide samples ends after so many rows; it takes about 150 MB before compression. */
const PART_ROWS = 131_072

/**
 * Simulates a span of time and writes it as parquet in one of three layouts, with `truth.json` beside:
 * `samples`: `part-*.parquet` with `timestamp`, `node`, a column a sensor, `label`, one row a node and 20-second read;
 * `exadata`: `year_month=YY-MM/plugin=P/metric=M/a_0.parquet` as in the public M100 data set;
 * `windows`: one file a node with the report's 15-minute features. Memory stays bounded. Returns the files written.
 */
export async function writeHistory(options: HistoryOptions): Promise<string[]> {
  const { directory, nodes, seed, fromMs, toMs, faults } = options
  const machine = new Machine({ nodes, seed, startMs: fromMs, faults })
  const write = { samples: writeSamples, exadata: writeExadata, windows: writeWindows }[options.layout]
  const staging = await Staging.open(directory)
  const files: string[] = []
  try {
    await write(machine, staging, options, files)
  } catch (error) {
    // Half a history would look like a whole one.
    await Promise.all(files.map((file) => rm(file, { force: true })))
    throw error
  } finally {
    await staging.close()
  }
  const names = machine.nodes.map((node) => node.name)
  await writeTruth(join(directory, 'truth.json'), { seed, nodes: names, fromMs, toMs, faults: [...faults] })
  return files
}

/** Tells how far simulated time has come, lets signals in, and stops when one asks for it. */
export async function report(options: HistoryOptions, timeMs: number): Promise<void> {
  const { fromMs, toMs } = options
  options.progress?.(Math.max(0, timeMs - fromMs) / (toMs - fromMs))
  await turn()
  options.signal?.throwIfAborted()
}

async function writeSamples(
  machine: Machine,
  staging: Staging,
  options: HistoryOptions,
  files: string[],
): Promise<void> {
  const { directory, fromMs, toMs } = options
  const sensors = machine.sensors.length
  const isFaulty = faultLookup(options.faults)
  const table = await staging.table('samples', ['timestamp', 'node', ...machine.sensors, 'label'])
  const names = machine.nodes.map((node) => text(node.name)).join(', ')
  const columns = SENSORS.map(({ name, integer }) =>
    integer ? `${quote(name)}::BIGINT AS ${quote(name)}` : quote(name),
  )
  const query =
    `SELECT make_timestamp_ms("timestamp"::BIGINT) AS "timestamp", [${names}][node::INTEGER + 1] AS node, ` +
    `${columns.join(', ')}, label::INTEGER AS label FROM samples`
  // One row a node for the tick that is being read.
  const rows = new Float64Array(machine.nodes.length * sensors).fill(Number.NaN)
  const filled = new Uint8Array(machine.nodes.length)

  for (let tickMs = fromMs; tickMs < toMs; tickMs += TICK_MS) {
    machine.advance(Math.min(tickMs + TICK_MS, toMs), (node, sensor, value) => {
      rows[node * sensors + sensor] = value
      filled[node] = 1
    })
    for (const [i, node] of machine.nodes.entries()) {
      if (filled[i] === 0) continue
      table.row[0] = tickMs
      table.row[1] = i
      table.row.set(rows.subarray(i * sensors, (i + 1) * sensors), 2)
      table.row[2 + sensors] = isFaulty(node.name, tickMs, tickMs + TICK_MS) ? 1 : 0
      table.push()
    }
    rows.fill(Number.NaN)
    filled.fill(0)
    if (table.rows >= PART_ROWS) await writePart()
    if ((tickMs - fromMs) % SLICE_MS === 0) await report(options, tickMs)
  }
  if (table.rows > 0) await writePart()
  table.close()

  async function writePart(): Promise<void> {
    table.flush()
    const path = join(directory, `part-${String(files.length).padStart(4, '0')}.parquet`)
    await staging.copy(query, path)
    await staging.connection.run('DELETE FROM samples')
    table.rows = 0
    files.push(path)
  }
}
