import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api'
import { HistoryError } from './error.ts'

/**
 * Beyond this DuckDB moves intermediate results to its temporary directory. It leaves a trainer that may use 1 GB the
 * larger half; reading 15,310 × 460 takes a third of it.
 */
const MEMORY_LIMIT = '400MB'

/** A DuckDB of its own, in memory, that reads parquet files and nothing else. */
export interface Database {
  /** All rows of a small result, as plain JavaScript values. */
  rows(sql: string): Promise<Record<string, unknown>[]>
  /** A result chunk by chunk (at most 2048 rows), on a connection of its own. */
  stream(sql: string, signal?: AbortSignal): AsyncGenerator<DuckDBDataChunk>
  close(): void
}

/** Opens a database; its temporary directory lives until `close` or the end of the process. */
export async function openDatabase(): Promise<Database> {
  const directory = mkdtempSync(join(tmpdir(), 'examon-dec-history-'))
  const removeDirectory = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', removeDirectory)
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    temp_directory: directory,
    // Every query that needs an order says so; without this DuckDB buffers to keep the order of the files.
    preserve_insertion_order: 'false',
    // Nothing is fetched from anywhere.
    autoinstall_known_extensions: 'false',
  })
  const main = await instance.connect()
  // Settings of extensions can be set only once those are loaded.
  await main.run("SET GLOBAL TimeZone = 'UTC'; SET GLOBAL parquet_metadata_cache = true")
  return {
    async rows(sql) {
      return (await main.runAndReadAll(sql)).getRowObjectsJS()
    },
    async *stream(sql, signal) {
      signal?.throwIfAborted()
      const connection = await instance.connect()
      const interrupt = () => connection.interrupt()
      signal?.addEventListener('abort', interrupt)
      try {
        const result = await connection.stream(sql)
        for (;;) {
          const chunk = await result.fetchChunk()
          signal?.throwIfAborted()
          if (chunk === null || chunk.rowCount === 0) return
          yield chunk
        }
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof HistoryError) throw error
        throw new HistoryError(`history can't be read: ${firstLine(error)}`, { cause: error })
      } finally {
        signal?.removeEventListener('abort', interrupt)
        connection.closeSync()
      }
    },
    close() {
      main.closeSync()
      instance.closeSync()
      process.removeListener('exit', removeDirectory)
      removeDirectory()
    },
  }
}

/** DuckDB's messages go on with the query; people need their first line. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0] ?? ''
}

/** A name in SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text in SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** The column of `parquet()` that names the file of a row; no metric is called so. */
export const FILE_COLUMN = '#file'

/** A table of parquet files, with the column FILE_COLUMN; `union`: columns may differ, those a file lacks are NULL. */
export function parquet(files: readonly string[], union = false): string {
  const byName = union ? ', union_by_name = true' : ''
  return `read_parquet(${fileList(files)}, filename = ${literal(FILE_COLUMN)}, hive_partitioning = false${byName})`
}

/** Files as a list in SQL; characters that DuckDB would take for a glob are escaped. */
export function fileList(files: readonly string[]): string {
  return `[${files.map((file) => literal(file.replace(/[*?[]/g, '[$&]'))).join(', ')}]`
}
