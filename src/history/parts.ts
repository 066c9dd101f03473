import { LARGEST_VALUE } from '../examon/sample.ts'
import { type Database, FILE_COLUMN, identifier, literal, parquet } from './database.ts'
import { HistoryError } from './error.ts'
import { blame, type FileGroup } from './files.ts'
import {
  type Column,
  exadataPath,
  type FileLayout,
  fileLayout,
  isInteger,
  LAYOUTS,
  nodeOfFile,
} from './layout.ts'

/** A file with its first and last time stamp, ms, and number of rows. */
export interface PartFile {
  path: string
  fromMs: number
  toMs: number
  rows: number
}

/** Files that are read by one and the same SQL: columns that go together, same unit of time. */
export interface Part {
  files: PartFile[]
  /** The files' columns differ, e.g. in the core slots that a node has. */
  union: boolean
  layout: FileLayout
  /** Units of a whole-number time stamp in a ms; null where the column is a TIMESTAMP. */
  perMs: bigint | null
  nodes: string[]
}

/** Service of Nagios that tells whether a node can take jobs: the label of the public data set. */
const LABEL_SERVICE = 'batchs::client::state'

/**
 * Whole-number time stamps are told apart by magnitude: between 2000 and 2100 the values in ms, us and ns since 1970
 * lie in ranges that do not touch.
 */
const FIRST_MS = BigInt(Date.UTC(2000, 0, 1))
const END_MS = BigInt(Date.UTC(2100, 0, 1))
const UNITS = [
  { name: 'ms', perMs: 1n },
  { name: 'us', perMs: 1_000n },
  { name: 'ns', perMs: 1_000_000n },
]

/**
 * Sorts files into parts and checks what SQL can't do without: time stamps, nodes, label values. Reads the columns
 * of time, node and label once. Throws HistoryError that names file, column and value.
 */
export async function readParts(
  database: Database,
  groups: readonly FileGroup[],
  notice: (text: string) => void,
): Promise<Part[]> {
  const sorted = groups.flatMap((group) => sortGroup(group, notice))
  refuseMixed(sorted)
  const parts: Part[] = []
  for (const one of mergeAlike(sorted)) parts.push(...(await scan(database, one)))
  return parts
}

interface Sorted {
  files: string[]
  layout: FileLayout
  union: boolean
}

function sortGroup(group: FileGroup, notice: (text: string) => void): Sorted[] {
  const byForm = new Map<string, Sorted>()
  const skipped = new Set<string>()
  for (const file of group.files) {
    const path = exadataPath(file)
    const key = path ? 'exadata' : 'wide'
    const known = byForm.get(key)
    // Without a path that speaks, equal columns mean an equal layout.
    if (known && !path) {
      known.files.push(file)
      continue
    }
    const layout = fileLayout(file, group.columns)
    if (!layout) {
      if (path) skipped.add(`${path.plugin}/${path.metric}`)
      continue
    }
    const same = byForm.get(layout.form)
    if (same) {
      same.files.push(file)
      for (const [name, column] of layout.sensors) same.layout.sensors.set(name, column)
    } else {
      byForm.set(path ? layout.form : key, { files: [file], layout, union: false })
      for (const column of layout.skipped) skipped.add(column)
    }
  }
  if (skipped.size > 0) {
    const where =
      group.files.length === 1 ? group.files[0] : `${group.files[0]} and ${group.files.length - 1} more`
    notice(`${where}: skipped, no numbers of a node's metric: ${[...skipped].join(', ')}`)
  }
  return [...byForm.values()]
}

function refuseMixed(sorted: readonly Sorted[]): void {
  const first = sorted[0]
  if (!first) throw new HistoryError(`no file holds numbers of a node's metric\n${LAYOUTS}`)
  const kind = ({ layout }: Sorted) =>
    layout.layout === 'wide-windows' ? `${layout.layout} (${layout.form})` : layout.layout
  const other = sorted.find((one) => kind(one) !== kind(first))
  if (!other) return
  throw new HistoryError(
    `mixed layouts: ${first.files[0]} is ${kind(first)}, ${other.files[0]} is ${kind(other)}; name files of one layout`,
  )
}

/** Puts groups together that differ in their metrics only, since a query over hundreds of groups is slow to plan. */
function mergeAlike(sorted: readonly Sorted[]): Sorted[] {
  const merged: Sorted[] = []
  for (const one of sorted) {
    const fit = merged.find((other) => fitTogether(other.layout, one.layout))
    if (!fit) {
      merged.push(one)
      continue
    }
    fit.union = true
    fit.files.push(...one.files)
    fit.layout.skipped.push(...one.layout.skipped)
    for (const [name, column] of one.layout.sensors) {
      const known = fit.layout.sensors.get(name)
      fit.layout.sensors.set(name, known ? wider(known, column) : column)
    }
    for (const [name, columns] of one.layout.windows) {
      const known = fit.layout.windows.get(name)
      fit.layout.windows.set(
        name,
        columns.map((column, i) => (known?.[i] ? wider(known[i], column) : column)),
      )
    }
  }
  return merged
}

function fitTogether(a: FileLayout, b: FileLayout): boolean {
  if (a.form !== b.form || a.layout === 'exadata' || a.time.type !== b.time.type) return false
  if (a.node?.type !== b.node?.type || a.label?.name !== b.label?.name || a.label?.type !== b.label?.type)
    return false
  const [left, right] = [valueColumns(a), valueColumns(b)]
  if (a.skipped.some((name) => right.has(name)) || b.skipped.some((name) => left.has(name))) return false
  return [...left].every(([name, type]) => exactUnion(type, right.get(name) ?? type))
}

function valueColumns(layout: FileLayout): Map<string, string> {
  const columns = [...layout.sensors.values(), ...[...layout.windows.values()].flat()]
  return new Map(columns.map((column) => [column.name, column.type]))
}

/** DuckDB unites whole numbers with FLOAT to FLOAT, which loses digits. */
function exactUnion(a: string, b: string): boolean {
  return a === b || a === 'DOUBLE' || b === 'DOUBLE' || (isInteger(a) && isInteger(b))
}

function wider(a: Column, b: Column): Column {
  return b.type === 'DOUBLE' ? b : a
}

async function scan(database: Database, { files, layout, union }: Sorted): Promise<Part[]> {
  const time = identifier(layout.time.name)
  const { label } = layout
  const node = layout.node === null ? 'NULL' : `${identifier(layout.node.name)}::VARCHAR`
  const wrong = label ? `min(${wrongLabel(label)})::VARCHAR` : 'NULL::VARCHAR'
  const found = await blame(
    database,
    files,
    (some) => `SELECT ${identifier(FILE_COLUMN)} AS file, count(*)::DOUBLE AS n,
        (count(*) - count(${layout.time.type.startsWith('TIMESTAMP') ? `epoch_ms(${time})` : time}))::DOUBLE AS untimed,
        min(${rawTime(layout)})::VARCHAR AS first, max(${rawTime(layout)})::VARCHAR AS last,
        list(DISTINCT ${node}) AS nodes, count(*) FILTER (WHERE ${node} IS NULL OR ${node} = '')::DOUBLE AS unnamed,
        ${wrong} AS wrong
      FROM ${parquet(some, union)} GROUP BY 1`,
  )
  const byFile = new Map(found.map((row) => [row.file as string, row]))
  const services = layout.form === 'exadata-labels'
  const parts = new Map<string, Part>()
  for (const path of files) {
    const row = byFile.get(path)
    if (!row) throw new HistoryError(`${path}: the file holds no rows`)
    if (row.untimed !== 0)
      throw new HistoryError(`${path}: column ${layout.time.name} is NULL or infinite in ${row.untimed} rows`)
    if (layout.node && row.unnamed !== 0) {
      throw new HistoryError(`${path}: column ${layout.node.name} is NULL or empty in ${row.unnamed} rows`)
    }
    if (row.wrong !== null && label) {
      const allowed = `${label.normal.join(', ')} (normal), ${label.anomalous.join(', ')} (anomalous), ${[...label.unknown, 'NULL'].join(', ')} (unknown)`
      throw new HistoryError(`${path}: column ${label.name} holds ${row.wrong}; allowed are ${allowed}`)
    }
    const { perMs, fromMs, toMs } = timeRange(path, layout, row.first as string, row.last as string)
    let part = parts.get(String(perMs))
    if (!part) {
      part = { files: [], union, layout, perMs, nodes: [] }
      parts.set(String(perMs), part)
    }
    part.files.push({ path, fromMs, toMs, rows: row.n as number })
    // Labels of a node without a metric make no window.
    if (!services) part.nodes.push(...(layout.node ? (row.nodes as string[]) : [nodeOfFile(path)]))
  }
  return [...parts.values()]
}

/** The value of a label that is none, else NULL. */
function wrongLabel(label: NonNullable<FileLayout['label']>): string {
  if (label.type === 'BOOLEAN') return 'NULL'
  const column = identifier(label.name)
  const known = [...label.normal, ...label.anomalous, ...label.unknown].join(', ')
  return `CASE WHEN NOT isnan(${column}::DOUBLE) AND ${column} NOT IN (${known}) THEN ${column} END`
}

function rawTime(layout: FileLayout): string {
  const time = identifier(layout.time.name)
  return isInteger(layout.time.type) ? time : `epoch_ms(${time})`
}

function timeRange(file: string, layout: FileLayout, first: string, last: string) {
  const integer = isInteger(layout.time.type)
  const [from, to] = [BigInt(first), BigInt(last)]
  const units = integer ? UNITS : UNITS.slice(0, 1)
  const unit = units.find(({ perMs }) => from >= FIRST_MS * perMs && from < END_MS * perMs)
  const outside = (value: bigint) =>
    value < FIRST_MS * (unit?.perMs ?? 1n) || value >= END_MS * (unit?.perMs ?? 1n)
  if (!unit || outside(to)) {
    const wrong = unit ? to : from
    const held = integer ? String(wrong) : new Date(Number(wrong)).toISOString()
    const allowed = integer
      ? 'ms, us or ns since 1970 (one unit a file) between 2000 and 2100'
      : 'times between 2000 and 2100'
    throw new HistoryError(`${file}: column ${layout.time.name} holds ${held}; allowed are ${allowed}`)
  }
  const ms = (value: bigint) => Number(value / unit.perMs)
  return { perMs: integer ? unit.perMs : null, fromMs: ms(from), toMs: ms(to) }
}

/**
 * SQL of a part's rows from `fromMs` up to `toMs`: t (ms, BIGINT), n (node's name), l (1, 0 or NULL) and the given
 * columns. Null where none of its files reaches into that time. `sensors`: of exadata only the files of these.
 */
export function selectRows(
  part: Part,
  fromMs: number,
  toMs: number,
  columns: string,
  sensors?: ReadonlySet<string>,
): string | null {
  const files = part.files
    .filter((file) => file.fromMs < toMs && file.toMs >= fromMs)
    .map((file) => file.path)
    .filter((path) => !sensors || part.layout.label || sensors.has(exadataPath(path)?.metric ?? ''))
  if (files.length === 0) return null
  // Columns of a union are those of all its files.
  const read = part.union ? part.files.map((file) => file.path) : files
  const { layout } = part
  const time = identifier(layout.time.name)
  const ms = part.perMs === null ? `epoch_ms(${time})` : `(${time} // ${part.perMs})::BIGINT`
  const bound = (value: number) =>
    part.perMs === null
      ? `${literal(new Date(value).toISOString())}::${layout.time.type}`
      : `${BigInt(value) * part.perMs}`
  const file = identifier(FILE_COLUMN)
  const node = layout.node
    ? `${identifier(layout.node.name)}::VARCHAR`
    : `split_part(parse_filename(${file}), '.', 1)`
  const service = layout.form === 'exadata-labels' ? ` AND description = ${literal(LABEL_SERVICE)}` : ''
  return `SELECT ${ms} AS t, ${node} AS n, ${labelValue(layout)} AS l${columns === '' ? '' : `, ${columns}`}
    FROM ${parquet(read, part.union)} WHERE ${time} >= ${bound(fromMs)} AND ${time} < ${bound(toMs)}${service}`
}

function labelValue({ label }: FileLayout): string {
  if (!label) return 'NULL::TINYINT'
  const column = identifier(label.name)
  if (label.type === 'BOOLEAN') return `${column}::TINYINT`
  return `CASE WHEN ${column} IN (${label.anomalous.join(', ')}) THEN 1::TINYINT WHEN ${column} IN (${label.normal.join(', ')}) THEN 0::TINYINT END`
}

/** A column as a double, NULL where it is missing, not finite or so large that its square is not. */
export function finite(column: { name: string; type: string } | undefined): string {
  if (!column) return 'NULL::DOUBLE'
  const name = identifier(column.name)
  const floating = column.type === 'FLOAT' || column.type === 'DOUBLE'
  return floating
    ? `CASE WHEN abs(${name}::DOUBLE) <= ${LARGEST_VALUE} THEN ${name}::DOUBLE END`
    : `${name}::DOUBLE`
}

/** As `finite`, NaN instead of NULL: reading a column of many NULLs costs several times as much in JavaScript. */
export function finiteOrNaN(column: { name: string; type: string } | undefined): string {
  return `coalesce(${finite(column)}, 'NaN'::DOUBLE)`
}
