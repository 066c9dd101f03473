import type { Part } from './parts.ts'

/**
 * Cuts the time from `fromMs` up to and with `toMs` into spans of `stepMs`, in order. Spans in which no file has a sample (looking
 * `reachMs` beyond their end) are left out.
 */
export function* timeSpans(
  parts: readonly Part[],
  fromMs: number,
  toMs: number,
  stepMs: number,
  reachMs = 0,
): Generator<{ from: number; to: number }> {
  const files = parts.flatMap((part) => part.files)
  for (let from = fromMs; from <= toMs; from += stepMs) {
    const to = from + stepMs
    if (files.some((file) => file.fromMs < to + reachMs && file.toMs >= from)) yield { from, to }
  }
}

/** Rows that writers put into one row group by default (DuckDB; others take more). DuckDB reads a row group or skips it. */
const ROW_GROUP_ROWS = 122_880
/** Spans that one row group may lie in, that is, how often it is read. */
const READS = 4

/**
 * Length of a span, ms: `stepMs`, which fits in memory, or more where the files' row groups reach much further, as in a file a node, lest they
 * are read again and again; what a span then holds beyond the memory limit goes to DuckDB's temporary directory.
 */
export function spanLength(parts: readonly Part[], stepMs: number, everyMs: number): number {
  let reach = 0
  let rows = 0
  for (const part of parts) {
    for (const file of part.files) {
      reach += (file.toMs - file.fromMs) * Math.min(file.rows, ROW_GROUP_ROWS)
      rows += file.rows
    }
  }
  return Math.max(stepMs, Math.ceil(reach / rows / READS / everyMs) * everyMs)
}
