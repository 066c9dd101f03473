import { join } from 'node:path'
import { type HistoryOptions, report, SLICE_MS } from './history.ts'
import type { Machine } from './machine.ts'
import { SENSORS } from './sensors.ts'
import { CHUNK_ROWS, quote, type StagedTable, type Staging, text } from './staging.ts'

/** A metric's row buffer; 132 of them are open at once. */
const BUFFER_ROWS = CHUNK_ROWS
/** The Nagios service whose state is the label of the public data set. */
const CLIENT_STATE = 'batchs::client::state'
const CHECKS = 'nagios_pub.state'

/** The raw layout of the public M100 data set: a file a month, plugin and metric, in time order. */
export async function writeExadata(
  machine: Machine,
  staging: Staging,
  options: HistoryOptions,
  files: string[],
): Promise<void> {
  const { directory, fromMs, toMs } = options
  const names = machine.nodes.map((node) => text(node.name)).join(', ')
  const racks = machine.nodes.map((node) => text(node.rack)).join(', ')
  const stamp = 'make_timestamp_ms("timestamp"::BIGINT) AS "timestamp"'
  const node = `[${names}][node::INTEGER + 1] AS node`

  for (let start = fromMs; start < toMs; ) {
    const date = new Date(start)
    const end = Math.min(toMs, Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1))
    const month = `year_month=${date.toISOString().slice(2, 7)}`
    const tables: StagedTable[] = []
    for (const sensor of machine.sensors) {
      tables.push(await staging.table(sensor, ['timestamp', 'value', 'node'], BUFFER_ROWS))
    }
    const checks = await staging.table(CHECKS, ['timestamp', 'value', 'node', 'drained'])
    for (let from = start; from < end; from += SLICE_MS) {
      machine.advance(
        Math.min(from + SLICE_MS, end),
        (nodeIndex, sensor, value, timeMs) => {
          const table = tables[sensor]!
          table.row[0] = timeMs
          table.row[1] = value
          table.row[2] = nodeIndex
          table.push()
        },
        (nodeIndex, state, drained, timeMs) => {
          checks.row[0] = timeMs
          checks.row[1] = state
          checks.row[2] = nodeIndex
          checks.row[3] = drained ? 1 : 0
          checks.push()
        },
      )
      await report(options, from)
    }
    for (const [i, { name, plugin, integer }] of SENSORS.entries()) {
      // Values over 2³¹ kB do not occur; the public set has int32 for whole numbers too.
      const value = integer ? 'value::INTEGER AS value' : 'value'
      await write(tables[i]!, plugin, name, `SELECT ${stamp}, ${value}, ${node} FROM ${quote(name)}`)
    }
    const tags =
      `${text(CLIENT_STATE)} AS description, CAST(drained::INTEGER AS VARCHAR) AS nagiosdrained, ` +
      `[${racks}][node::INTEGER + 1] AS rack`
    const query = `SELECT ${stamp}, value::INTEGER AS value, ${node}, ${tags} FROM ${quote(CHECKS)}`
    await write(checks, 'nagios_pub', 'state', query)
    start = end

    async function write(table: StagedTable, plugin: string, metric: string, select: string): Promise<void> {
      table.close()
      if (table.rows > 0) {
        const path = join(directory, month, `plugin=${plugin}`, `metric=${metric}`, 'a_0.parquet')
        await staging.copy(select, path)
        files.push(path)
      }
      await staging.connection.run(`DROP TABLE ${quote(table.name)}`)
    }
  }
}
