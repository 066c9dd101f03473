import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  DOUBLE,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
} from '@duckdb/node-api'

/** Rows that DuckDB takes at once. */
export const CHUNK_ROWS = 2048
/** Beyond this DuckDB moves staged rows to its file. */
const MEMORY_LIMIT = '512MB'

/**
 * A scratch database inside the output directory, in which tables of numbers grow before they are written as
 * parquet. What does not fit in memory lies in its file, which `close` removes.
 */
export class Staging {
  private readonly file: string
  private readonly instance: DuckDBInstance
  readonly connection: DuckDBConnection

  private constructor(file: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.file = file
    this.instance = instance
    this.connection = connection
  }

  static async open(directory: string): Promise<Staging> {
    await mkdir(directory, { recursive: true })
    const file = join(directory, '.simulate.tmp')
    await removeDatabase(file)
    const instance = await DuckDBInstance.create(file, { memory_limit: MEMORY_LIMIT, threads: '1' })
    return new Staging(file, instance, await instance.connect())
  }

  async table(name: string, columns: readonly string[], bufferRows = CHUNK_ROWS): Promise<StagedTable> {
    const list = columns.map((column) => `${quote(column)} DOUBLE`).join(', ')
    await this.connection.run(`CREATE TABLE ${quote(name)} (${list})`)
    return new StagedTable(name, columns.length, bufferRows, await this.connection.createAppender(name))
  }

  /** Writes a query's rows as zstd parquet beside `path` and renames. */
  async copy(query: string, path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    const temporary = `${path}.tmp`
    await this.connection.run(`COPY (${query}) TO ${text(temporary)} (FORMAT parquet, COMPRESSION zstd)`)
    await rename(temporary, path)
  }

  async close(): Promise<void> {
    this.connection.closeSync()
    this.instance.closeSync()
    await removeDatabase(this.file)
  }
}

/** Rows of doubles on their way into a table; NaN becomes NULL. */
export class StagedTable {
  readonly name: string
  /** The row to fill before `push`; all NaN at first and after each push. */
  readonly row: Float64Array
  /** Rows pushed since the table was made or cleared. */
  rows = 0
  private readonly columns: number
  private readonly buffer: Float64Array
  private readonly bufferRows: number
  private readonly appender: DuckDBAppender
  private buffered = 0

  constructor(name: string, columns: number, bufferRows: number, appender: DuckDBAppender) {
    this.name = name
    this.columns = columns
    this.bufferRows = bufferRows
    this.appender = appender
    this.row = new Float64Array(columns).fill(Number.NaN)
    this.buffer = new Float64Array(columns * bufferRows)
  }

  push(): void {
    this.buffer.set(this.row, this.buffered * this.columns)
    this.row.fill(Number.NaN)
    this.rows++
    if (++this.buffered === this.bufferRows) this.flushBuffer()
  }

  /** Makes all pushed rows visible to queries. */
  flush(): void {
    if (this.buffered > 0) this.flushBuffer()
    this.appender.flushSync()
  }

  close(): void {
    this.flush()
    this.appender.closeSync()
  }

  private flushBuffer(): void {
    const { columns, buffer, buffered } = this
    const chunk = DuckDBDataChunk.create(new Array(columns).fill(DOUBLE), buffered)
    const values = new Array<number | null>(buffered)
    for (let c = 0; c < columns; c++) {
      for (let r = 0; r < buffered; r++) {
        const value = buffer[r * columns + c]!
        values[r] = Number.isNaN(value) ? null : value
      }
      chunk.setColumnValues(c, values)
    }
    this.appender.appendDataChunk(chunk)
    this.buffered = 0
  }
}

/** An SQL identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** An SQL string. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

async function removeDatabase(file: string): Promise<void> {
  await rm(file, { force: true })
  await rm(`${file}.wal`, { force: true })
  await rm(`${file}.tmp`, { force: true, recursive: true })
}
