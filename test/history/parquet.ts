/** Small parquet files, written by DuckDB. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { openHistory } from '../../src/history/history.ts'
import type { History, WindowRequest } from '../../src/history/types.ts'
import type { WindowBlock } from '../../src/windows/block.ts'

const instance = await DuckDBInstance.create(':memory:')
const connection = await instance.connect()
await connection.run("SET TimeZone = 'UTC'")
const directory = mkdtempSync(join(tmpdir(), 'examon-dec-test-'))
let folders = 0

after(() => {
  connection.closeSync()
  instance.closeSync()
  rmSync(directory, { recursive: true, force: true })
})

/** A new empty folder, removed after the tests. */
export function folder(): string {
  const path = join(directory, String(folders++))
  mkdirSync(path)
  return path
}

/** Writes the rows of a query to `folder/name`. */
export async function write(folderPath: string, name: string, query: string): Promise<string> {
  const path = join(folderPath, name)
  mkdirSync(dirname(path), { recursive: true })
  await connection.run(`COPY (${query}) TO '${path}' (FORMAT parquet)`)
  return path
}

/** Opens a history, hands it on, closes it. */
export async function withHistory<T>(globs: string[], work: (history: History) => Promise<T>): Promise<T> {
  const history = await openHistory(globs)
  try {
    return await work(history)
  } finally {
    history.close()
  }
}

/** 15-minute windows, avg, var, max, min with ddof 1, of unpooled metrics. */
export function request(metrics: string[], changes: Partial<WindowRequest> = {}): WindowRequest {
  return {
    lengthSeconds: 900,
    everySeconds: 900,
    statistics: ['avg', 'var', 'max', 'min'],
    ddof: 1,
    metrics: metrics.map((name) => ({ name, sensors: [name], expectedSamples: null })),
    ...changes,
  }
}

export interface Row {
  node: string
  start: string
  label: number
  values: number[]
  counts: number[]
}

/** All windows as plain rows. */
export async function rows(history: History, asked: WindowRequest, blockRows?: number): Promise<Row[]> {
  const found: Row[] = []
  const options = blockRows === undefined ? {} : { blockRows }
  for await (const block of history.windows(asked, options)) found.push(...blockRowsOf(history, asked, block))
  return found
}

function blockRowsOf(history: History, asked: WindowRequest, block: WindowBlock): Row[] {
  const metrics = asked.metrics.length
  const features = metrics * asked.statistics.length
  return Array.from({ length: block.rows }, (_, i) => ({
    node: history.nodes[block.node[i] ?? -1] ?? '',
    start: new Date(block.start[i] ?? Number.NaN).toISOString(),
    label: block.label[i] ?? Number.NaN,
    values: [...block.values.slice(i * features, (i + 1) * features)],
    counts: [...block.counts.slice(i * metrics, (i + 1) * metrics)],
  }))
}
