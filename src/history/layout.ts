import type { Statistic } from '../windows/schema.ts'
import { HistoryError } from './error.ts'
import type { Layout } from './types.ts'

/** A top-level column of a parquet file, its type in DuckDB's words. */
export interface Column {
  name: string
  type: string
}

/** Column of labels, and which of its values mean what; NULL and NaN mean unknown everywhere. */
export interface LabelColumn {
  name: string
  type: string
  normal: number[]
  anomalous: number[]
  unknown: number[]
}

/** What the columns of a file (and, for exadata, its path) say. */
export interface FileLayout {
  layout: Layout
  /** The two spellings of finished windows differ in statistics and ddof. */
  form: 'samples' | 'report' | 'public' | 'exadata' | 'exadata-labels'
  time: Column
  /** Null: the file's name names the node. */
  node: Column | null
  /** wide-samples: one column a sensor. exadata: the column of values under the name from the path. */
  sensors: Map<string, Column>
  /** wide-windows: the columns of each metric's statistics, in the order of the form's statistics. */
  windows: Map<string, Column[]>
  label: LabelColumn | null
  /** Columns that are no feature, e.g. of text. */
  skipped: string[]
}

/** Statistics and ddof of the two forms of finished windows. */
export const WINDOW_FORMS = {
  report: { statistics: ['avg', 'var', 'max', 'min'], ddof: 1 },
  public: { statistics: ['avg', 'std', 'max', 'min'], ddof: 0 },
} as const satisfies Record<string, { statistics: Statistic[]; ddof: 0 | 1 }>

export const LAYOUTS = `Layouts that fit:
  wide samples: timestamp, node (or the node as file name), one numeric column a metric, optional label (0, 1)
  wide windows: timestamp, node (or the node as file name), and for each metric X either avg:X, var:X, max:X, min:X (labels in New_label or label) or X_avg, X_std, X_min, X_max (labels in value)
  exadata: year_month=YY-MM/plugin=P/metric=M/*.parquet with timestamp, value, node`

const TIME = 'timestamp'
const NODE = 'node'
const VALUE = 'value'
const INTEGER_TYPE = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/
const NUMERIC_TYPE = /^(FLOAT|DOUBLE|DECIMAL\(.*\)|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?)$/
const TIMESTAMP_TYPE = /^TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?$/
/** The row number that pandas stores beside the columns. */
const PANDAS_INDEX = /^__index_level_\d+__$/
const EXADATA_PATH = /(?:^|\/)year_month=[^/]+\/plugin=([^/]+)\/metric=([^/]+)\/[^/]+$/
const NAGIOS = /^nagios(_pub)?$/
const REPORT_COLUMN = /^(avg|var|max|min):(.+)$/

export function isInteger(type: string): boolean {
  return INTEGER_TYPE.test(type)
}

/** Name of the node that a file name stands for: all before its first dot (machine-1-6.train.parquet). */
export function nodeOfFile(file: string): string {
  return (file.split('/').at(-1) ?? '').split('.', 1)[0] ?? ''
}

/** Plugin and metric that a path in the exadata layout names. */
export function exadataPath(file: string): { plugin: string; metric: string } | null {
  const found = EXADATA_PATH.exec(file)
  return found ? { plugin: found[1] ?? '', metric: found[2] ?? '' } : null
}

/**
 * Finds out the layout of a file from its columns and path.
 * Returns null for a file that holds no numeric metric of nodes (exadata: text, or a plugin of the building).
 * Throws HistoryError where nothing fits.
 */
export function fileLayout(file: string, columns: readonly Column[]): FileLayout | null {
  const byName = new Map(columns.map((column) => [column.name, column]))
  const path = exadataPath(file)
  if (path) return exadataLayout(file, byName, path)
  const time = timeColumn(file, byName)
  const node = byName.get(NODE) ?? null
  if (node && node.type !== 'VARCHAR' && !isInteger(node.type)) {
    throw new HistoryError(`${file}: column node has type ${node.type}; allowed are text and whole numbers`)
  }
  const common = { time, node, sensors: new Map<string, Column>(), windows: new Map<string, Column[]>() }
  const report = reportMetrics(file, byName)
  if (report.size > 0) {
    const column = byName.get('New_label') ?? byName.get('label')
    const label = labelColumn(file, column, {
      normal: [0],
      anomalous: [1, 2],
      unknown: column?.name === 'label' ? [3] : [],
    })
    return rest(
      { ...common, layout: 'wide-windows', form: 'report', windows: report, label, skipped: [] },
      columns,
    )
  }
  const published = publicMetrics(byName)
  if (published.size > 0) {
    const label = labelColumn(file, byName.get(VALUE), { normal: [0], anomalous: [1, 2], unknown: [3] })
    return rest(
      { ...common, layout: 'wide-windows', form: 'public', windows: published, label, skipped: [] },
      columns,
    )
  }
  const label = labelColumn(file, byName.get('label'), { normal: [0], anomalous: [1], unknown: [] })
  for (const column of columns) {
    if (isSensor(column)) common.sensors.set(column.name, column)
  }
  if (common.sensors.size === 0) {
    throw new HistoryError(`${file}: no numeric column of a metric; columns: ${names(columns)}\n${LAYOUTS}`)
  }
  if (common.sensors.size === 1 && common.sensors.has(VALUE)) {
    throw new HistoryError(
      `${file}: columns ${names(columns)} are those of exadata, but the path names no plugin and metric\n${LAYOUTS}`,
    )
  }
  return rest({ ...common, layout: 'wide-samples', form: 'samples', label, skipped: [] }, columns)
}

function exadataLayout(
  file: string,
  byName: ReadonlyMap<string, Column>,
  path: { plugin: string; metric: string },
): FileLayout | null {
  const labels = NAGIOS.test(path.plugin)
  if (labels && path.metric !== 'state') return null
  const value = byName.get(VALUE)
  if (!value)
    throw new HistoryError(`${file}: no column value; columns: ${names([...byName.values()])}\n${LAYOUTS}`)
  const node = byName.get(NODE)
  if (!node || !NUMERIC_TYPE.test(value.type)) return null
  const time = timeColumn(file, byName)
  const common = { layout: 'exadata' as const, time, node, windows: new Map<string, Column[]>(), skipped: [] }
  if (!labels) return { ...common, form: 'exadata', sensors: new Map([[path.metric, value]]), label: null }
  if (!byName.has('description')) {
    throw new HistoryError(
      `${file}: no column description, which tells the service of a state; columns: ${names([...byName.values()])}`,
    )
  }
  const label = labelColumn(file, value, { normal: [0], anomalous: [1, 2], unknown: [3] })
  return { ...common, form: 'exadata-labels', sensors: new Map(), label }
}

function timeColumn(file: string, byName: ReadonlyMap<string, Column>): Column {
  const time = byName.get(TIME)
  if (!time)
    throw new HistoryError(`${file}: no column ${TIME}; columns: ${names([...byName.values()])}\n${LAYOUTS}`)
  if (!isInteger(time.type) && !TIMESTAMP_TYPE.test(time.type)) {
    throw new HistoryError(
      `${file}: column ${TIME} has type ${time.type}; allowed are TIMESTAMP with or without time zone and whole numbers of ms, us or ns`,
    )
  }
  return time
}

function labelColumn(
  file: string,
  column: Column | undefined,
  meaning: Pick<LabelColumn, 'normal' | 'anomalous' | 'unknown'>,
): LabelColumn | null {
  if (!column) return null
  if (!NUMERIC_TYPE.test(column.type) && column.type !== 'BOOLEAN') {
    const allowed = [...meaning.normal, ...meaning.anomalous, ...meaning.unknown].join(', ')
    throw new HistoryError(
      `${file}: column ${column.name} has type ${column.type}; labels are numbers: ${allowed} or NULL`,
    )
  }
  return { ...column, ...meaning }
}

function isSensor(column: Column): boolean {
  if (column.name === TIME || column.name === NODE || column.name === 'label') return false
  return NUMERIC_TYPE.test(column.type) && !PANDAS_INDEX.test(column.name)
}

/** Metrics of `avg:X` and its siblings; one that is missing is an error. */
function reportMetrics(file: string, byName: ReadonlyMap<string, Column>): Map<string, Column[]> {
  const metrics = new Map<string, Column[]>()
  for (const name of byName.keys()) {
    const metric = REPORT_COLUMN.exec(name)?.[2]
    if (metric === undefined || metrics.has(metric)) continue
    const columns = WINDOW_FORMS.report.statistics.map((statistic) => {
      const column = byName.get(`${statistic}:${metric}`)
      if (!column) throw new HistoryError(`${file}: column ${statistic}:${metric} is missing beside ${name}`)
      if (!NUMERIC_TYPE.test(column.type)) {
        throw new HistoryError(
          `${file}: column ${column.name} has type ${column.type}; statistics are numbers`,
        )
      }
      return column
    })
    metrics.set(metric, columns)
  }
  return metrics
}

/** Metrics of which all four of `X_avg`, `X_std`, `X_max`, `X_min` are there; any other column may just end so. */
function publicMetrics(byName: ReadonlyMap<string, Column>): Map<string, Column[]> {
  const metrics = new Map<string, Column[]>()
  for (const name of byName.keys()) {
    const metric = /^(.+)_(?:avg|std|max|min)$/.exec(name)?.[1]
    if (metric === undefined || metrics.has(metric)) continue
    const columns = WINDOW_FORMS.public.statistics.flatMap((statistic) => {
      const column = byName.get(`${metric}_${statistic}`)
      return column && NUMERIC_TYPE.test(column.type) ? [column] : []
    })
    if (columns.length === WINDOW_FORMS.public.statistics.length) metrics.set(metric, columns)
  }
  return metrics
}

/** Adds the names of the columns that nothing uses. */
function rest(layout: FileLayout, columns: readonly Column[]): FileLayout {
  const used = new Set([
    TIME,
    NODE,
    ...layout.sensors.keys(),
    ...[...layout.windows.values()].flat().map((column) => column.name),
  ])
  // The report's two label columns say the same in two ways; the one that does not count is no news.
  if (layout.label) used.add('label').add(layout.label.name)
  return { ...layout, skipped: columns.map((column) => column.name).filter((name) => !used.has(name)) }
}

function names(columns: readonly Column[]): string {
  return columns.map((column) => column.name).join(', ')
}
