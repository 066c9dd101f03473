/**
 * A run of windows as plain arrays, the form in which windows travel from history or stream to the model.
 * All arrays hold `rows` entries, matrices are row-major.
 */
export interface WindowBlock {
  rows: number
  /** Node of each row, as an index into the owner's list of node names. */
  node: Int32Array
  /** Window start, ms since the epoch, UTC. */
  start: Float64Array
  /** rows × d raw feature values in schema order; NaN where a metric has no sample. */
  values: Float64Array
  /** rows × metrics sample counts (saturating); a table of finished windows has 1 where a value is present. */
  counts: Uint16Array
  /** 1 anomalous, 0 normal, -1 not known. */
  label: Int8Array
}
