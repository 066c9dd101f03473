/** Aligned text tables for a terminal. */

export interface Column {
  title: string
  /** Decimals of the numbers in this column; without it they are printed as they are. */
  decimals?: number
}

/** Null prints as a dash: not known, not defined. */
export type Cell = string | number | null

const GAP = '  '

/**
 * Renders rows below their titles and a rule. A column that holds numbers (or nothing) only is right-aligned, a column with text is
 * left-aligned. Throws when a row has more or fewer cells than there are columns. No line break at the end.
 */
export function renderTable(columns: Column[], rows: Cell[][]): string {
  for (const [i, row] of rows.entries()) {
    if (row.length !== columns.length) {
      throw new RangeError(`row ${i} has ${row.length} cells, the table has ${columns.length} columns`)
    }
  }
  const shaped = columns.map((column, c) => {
    const cells = rows.map((row) => row[c] ?? null)
    const texts = cells.map((cell) => print(cell, column.decimals))
    const width = Math.max(...[column.title, ...texts].map(displayLength))
    return { title: column.title, texts, width, isText: cells.some((cell) => typeof cell === 'string') }
  })
  const line = (text: (column: (typeof shaped)[number]) => string) =>
    shaped
      .map((column) => pad(text(column), column.width, column.isText))
      .join(GAP)
      .trimEnd()
  return [
    line((column) => column.title),
    line((column) => '─'.repeat(column.width)),
    ...rows.map((_, r) => line((column) => column.texts[r] ?? '')),
  ].join('\n')
}

function print(cell: Cell, decimals: number | undefined): string {
  if (cell === null || Number.isNaN(cell)) return '–'
  if (typeof cell === 'string') return cell
  return decimals === undefined || !Number.isFinite(cell) ? String(cell) : cell.toFixed(decimals)
}

/** Code points, not UTF-16 units: node and metric names are mostly ASCII, units and dashes are not. */
function displayLength(text: string): number {
  return [...text].length
}

function pad(text: string, width: number, left: boolean): string {
  const space = ' '.repeat(width - displayLength(text))
  return left ? text + space : space + text
}
