/**
 * Why DuckDB: reads a parquet file of one node's history (15,310 windows × 460 features) into one matrix by DuckDB and by
 * parquetjs-lite, each in a process of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { type Cell, renderTable } from '../../src/evaluate/table.ts'
import { machine } from './machine.ts'
import { installPeers, loadPeer, measureApart, peakMegabytes } from './peers.ts'

const PARQUETJS = 'parquetjs-lite@0.8.7'
const ROWS = 15_310
const FEATURES = 460
const ROUNDS = 3
const COLUMNS = Array.from({ length: FEATURES }, (_, j) => `f${j}`)

interface Figures {
  seconds: number
  megabytes: number
  /** Sum of all values: both have read the same. */
  sum: number
}

async function writeFile(file: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' }) // random() follows the seed in one thread
  const connection = await instance.connect()
  await connection.run('SELECT setseed(0.5)')
  const columns = COLUMNS.map((name) => `CAST(random() AS FLOAT) AS ${name}`)
  await connection.run(
    `COPY (SELECT ${columns.join(', ')} FROM range(${ROWS})) TO '${file}' (FORMAT parquet, COMPRESSION snappy)`,
  )
  connection.closeSync()
}

async function readByDuckDb(file: string): Promise<Float32Array> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const result = await connection.stream(`SELECT * FROM '${file}'`)
  const matrix = new Float32Array(ROWS * FEATURES)
  let from = 0
  for (
    let chunk = await result.fetchChunk();
    chunk && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    for (let j = 0; j < FEATURES; j++) {
      const vector = chunk.getColumnVector(j)
      for (let i = 0; i < chunk.rowCount; i++) matrix[(from + i) * FEATURES + j] = Number(vector.getItem(i))
    }
    from += chunk.rowCount
  }
  return matrix
}

/** What is used of parquetjs-lite. */
interface ParquetJs {
  ParquetReader: {
    openFile(file: string): Promise<{
      getCursor(): { next(): Promise<Record<string, number> | null> }
      close(): Promise<void>
    }>
  }
}

async function readByParquetJs(file: string, peers: string): Promise<Float32Array> {
  const reader = await loadPeer<ParquetJs>(peers, 'parquetjs-lite').ParquetReader.openFile(file)
  const cursor = reader.getCursor()
  const matrix = new Float32Array(ROWS * FEATURES)
  let at = 0
  for (let row = await cursor.next(); row; row = await cursor.next()) {
    for (const name of COLUMNS) matrix[at++] = row[name] ?? Number.NaN
  }
  await reader.close()
  return matrix
}

async function measure(read: () => Promise<Float32Array>): Promise<Figures> {
  const before = performance.now()
  const matrix = await read()
  const seconds = (performance.now() - before) / 1000
  return { seconds, megabytes: peakMegabytes(), sum: matrix.reduce((sum, value) => sum + value, 0) }
}

async function compare(): Promise<void> {
  const peers = await installPeers([PARQUETJS])
  const folder = await mkdtemp(join(tmpdir(), 'examon-dec-parquet-'))
  try {
    const file = join(folder, 'windows.parquet')
    await writeFile(file)
    const rows: Cell[][] = []
    const ratios: string[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      const [duckdb, parquetjs] = [
        await measureApart<Figures>(import.meta.filename, ['duckdb', file, peers.folder]),
        await measureApart<Figures>(import.meta.filename, ['parquetjs', file, peers.folder]),
      ]
      if (duckdb.sum !== parquetjs.sum) throw new Error(`sums differ: ${duckdb.sum}, ${parquetjs.sum}`)
      rows.push([round, '@duckdb/node-api', duckdb.seconds, duckdb.megabytes])
      rows.push([round, PARQUETJS, parquetjs.seconds, parquetjs.megabytes])
      const time = parquetjs.seconds / duckdb.seconds
      const memory = parquetjs.megabytes / duckdb.megabytes
      ratios.push(`${time.toFixed(1)} × time, ${memory.toFixed(1)} × memory`)
    }
    console.log(`${machine()}; ${ROWS} × ${FEATURES} floats, snappy`)
    console.log(
      renderTable(
        [
          { title: 'round' },
          { title: 'reader' },
          { title: 'seconds', decimals: 2 },
          { title: 'peak RSS MB', decimals: 0 },
        ],
        rows,
      ),
    )
    console.log(`parquetjs-lite to DuckDB: ${ratios.join('; ')}`)
  } finally {
    await peers.remove()
    await rm(folder, { recursive: true, force: true })
  }
}

const [reader, fileArgument = '', peersArgument = ''] = process.argv.slice(2)
if (reader === undefined) {
  await compare()
} else {
  const read = reader === 'duckdb' ? readByDuckDb : readByParquetJs
  console.log(JSON.stringify(await measure(() => read(fileArgument, peersArgument))))
}
