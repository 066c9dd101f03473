import { aggregateWindows, type Opened } from './aggregate.ts'
import { type Database, identifier, openDatabase } from './database.ts'
import { HistoryError } from './error.ts'
import { findFiles, readColumns } from './files.ts'
import { checkRequest, finishedWindows } from './finished.ts'
import { WINDOW_FORMS } from './layout.ts'
import { type Part, readParts, selectRows } from './parts.ts'
import { readSamples } from './samples.ts'
import type { History, WindowRequest } from './types.ts'

export { HistoryError } from './error.ts'

const DEFAULT_BLOCK_ROWS = 1024
/** Spacing of finished windows where a file holds only one: that of the report and of the public set, seconds. */
const USUAL_SECONDS = 900

/**
 * Opens history: files, directories (all `*.parquet` below) or globs, of one layout, which is found out from the files.
 * `notice` hears of columns that are skipped. Throws HistoryError with a message for the user. The caller closes it.
 */
export async function openHistory(
  globs: readonly string[],
  options: { notice?: (text: string) => void } = {},
): Promise<History> {
  const files = await findFiles(globs)
  const database = await openDatabase()
  try {
    const parts = await readParts(database, await readColumns(database, files), options.notice ?? (() => {}))
    return await describe(database, files, parts)
  } catch (error) {
    database.close()
    throw error
  }
}

async function describe(database: Database, files: string[], parts: Part[]): Promise<History> {
  const measured = parts.filter((part) => part.layout.form !== 'exadata-labels')
  const first = measured[0]
  if (!first) throw new HistoryError(`${files[0]}: labels only, no file holds numbers of a node's metric`)
  const spans = measured.flatMap((part) => part.files)
  const opened: Opened = {
    database,
    parts,
    // Ordered as DuckDB orders text, by code point.
    nodes: [...new Set(measured.flatMap((part) => part.nodes))].sort(byCodePoint),
    fromMs: spans.reduce((least, file) => Math.min(least, file.fromMs), Number.POSITIVE_INFINITY),
    toMs: spans.reduce((most, file) => Math.max(most, file.toMs), Number.NEGATIVE_INFINITY),
  }
  const { form, layout } = first.layout
  const sensors = [
    ...new Set(measured.flatMap((part) => [...part.layout.sensors.keys(), ...part.layout.windows.keys()])),
  ]
  const known = new Set(sensors)
  let fixed: History['fixed'] = null
  if (form === 'report' || form === 'public') {
    const { statistics, ddof } = WINDOW_FORMS[form]
    fixed = { statistics: [...statistics], ddof, lengthSeconds: await spacing(database, first) }
  }
  return {
    layout,
    files,
    nodes: opened.nodes,
    sensors,
    labelled: parts.some((part) => part.layout.label !== null),
    fromMs: opened.fromMs,
    toMs: opened.toMs,
    fixed,
    windows(request, { blockRows = DEFAULT_BLOCK_ROWS, signal } = {}) {
      checkSensors(request, known)
      if (!fixed) return aggregateWindows(opened, request, blockRows, signal)
      checkRequest(request, fixed)
      return finishedWindows(opened, request, blockRows, fixed.lengthSeconds * 1000, signal)
    },
    samples({ signal } = {}) {
      if (fixed)
        throw new HistoryError('the history holds finished windows, no samples; it can not be replayed')
      return readSamples(opened, sensors, signal)
    },
    close: () => database.close(),
  }
}

function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function checkSensors(request: WindowRequest, known: ReadonlySet<string>): void {
  const asked = request.metrics.flatMap((metric) => metric.sensors)
  if (asked.some((name) => known.has(name))) return
  throw new HistoryError(
    `none of the metrics asked for is in the history: ${asked.join(', ')}; it holds ${[...known].join(', ')}`,
  )
}

/** Most frequent distance between neighbouring windows of the first file, seconds. */
async function spacing(database: Database, part: Part): Promise<number> {
  const file = part.files[0]
  if (!file) return USUAL_SECONDS
  const rows = selectRows({ ...part, files: [file] }, file.fromMs, file.toMs + 1, '')
  const found = await database.rows(`SELECT mode(step)::DOUBLE / 1000 AS seconds
    FROM (SELECT t - lag(t) OVER (PARTITION BY ${identifier('n')} ORDER BY t) AS step FROM (${rows})) WHERE step > 0`)
  return (found[0]?.seconds as number | null) ?? USUAL_SECONDS
}
