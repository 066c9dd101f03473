import { glob, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Database, FILE_COLUMN, fileList, firstLine, parquet } from './database.ts'
import { HistoryError } from './error.ts'
import type { Column } from './layout.ts'

/** Files whose columns have the same names and types in the same order. */
export interface FileGroup {
  files: string[]
  columns: Column[]
}

/**
 * Files that paths and globs name, each once, sorted. A directory stands for all `*.parquet` below it.
 * Throws HistoryError where a glob matches no file.
 */
export async function findFiles(globs: readonly string[]): Promise<string[]> {
  if (globs.length === 0) throw new HistoryError('no history: name at least one file, directory or glob')
  const found = new Map<string, string>()
  for (const pattern of globs) {
    const files = await filesOf(pattern)
    if (files.length === 0) throw new HistoryError(`${pattern}: no file matches`)
    for (const file of files) found.set(resolve(file), file)
  }
  return [...found.values()].sort()
}

async function filesOf(pattern: string): Promise<string[]> {
  // A plain path first: a file's name may hold glob characters.
  const plain = await stat(pattern).catch(() => null)
  if (plain?.isFile()) return [pattern]
  const files: string[] = []
  const cwd = plain?.isDirectory() ? pattern : '.'
  const match = plain?.isDirectory() ? '**/*.parquet' : pattern
  for await (const name of glob(match, { cwd })) {
    const file = plain?.isDirectory() ? join(pattern, name) : name
    if ((await stat(file)).isFile()) files.push(file)
  }
  return files
}

/** Reads the columns of all files. Throws HistoryError that names the first file that is no whole parquet file. */
export async function readColumns(database: Database, files: readonly string[]): Promise<FileGroup[]> {
  for (const file of files) {
    if ((await stat(file)).size === 0) throw new HistoryError(`${file}: the file is empty (0 bytes)`)
  }
  const groups = await blame(
    database,
    files,
    (some) => `SELECT list(file_name ORDER BY file_name) AS files FROM (
      SELECT file_name, list((name, type, duckdb_type, num_children) ORDER BY column_id) AS columns
      FROM parquet_schema(${fileList(some)}) GROUP BY file_name
    ) GROUP BY columns ORDER BY files[1]`,
  )
  const result: FileGroup[] = []
  for (const group of groups) {
    const members = group.files as string[]
    const described = await database.rows(`DESCRIBE SELECT * FROM ${parquet(members.slice(0, 1))}`)
    const columns = described.map((row) => ({ name: String(row.column_name), type: String(row.column_type) }))
    const own = columns.filter((column) => column.name !== FILE_COLUMN)
    await refuseTwins(database, members[0] ?? '', own)
    result.push({ files: members, columns: own })
  }
  return result
}

/** DuckDB does not tell `A` from `a`: it renames the second, so that a name would lead to the wrong column. */
async function refuseTwins(database: Database, file: string, columns: readonly Column[]): Promise<void> {
  const stored = await database.rows(`SELECT name FROM parquet_schema(${fileList([file])})`)
  const names = new Set(stored.map((row) => String(row.name)))
  const renamed = columns.find((column) => !names.has(column.name))
  if (!renamed) return
  throw new HistoryError(
    `${file}: two columns differ in upper and lower case only (${renamed.name.replace(/_\d+$/, '')}); rename one`,
  )
}

/** Runs a query over many files; where it fails, finds the file that is to blame. */
export async function blame(
  database: Database,
  files: readonly string[],
  query: (files: readonly string[]) => string,
): Promise<Record<string, unknown>[]> {
  try {
    return await database.rows(query(files))
  } catch (error) {
    for (const file of files) {
      try {
        await database.rows(query([file]))
      } catch (one) {
        throw new HistoryError(`${file}: not a whole parquet file: ${firstLine(one)}`, { cause: one })
      }
    }
    throw new HistoryError(`history can't be read: ${firstLine(error)}`, { cause: error })
  }
}
