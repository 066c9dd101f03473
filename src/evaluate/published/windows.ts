/** The labelled windows of one node, as the report clusters them. */
import type { Prepared } from '../../bootstrap/prepare.ts'
import { HistoryError } from '../../history/error.ts'
import type { History } from '../../history/types.ts'
import { meanPredictorError } from '../../model/autoencoder.ts'
import { ModelError } from '../../model/errors.ts'
import type { Rows } from '../../model/rows.ts'

/** @throws HistoryError for more than one node, or without labels. */
export function checkHistory(history: History): void {
  const { nodes } = history
  if (nodes.length !== 1) {
    const some = `${nodes.slice(0, 5).join(', ')}${nodes.length > 5 ? ' …' : ''}`
    throw new HistoryError(
      `the report's table is about one node; the history holds ${nodes.length} (${some}): give the files of one`,
    )
  }
  if (!history.labelled) {
    throw new HistoryError(
      'the history has no column of labels, so that there is nothing to compare clusters with; windows as in the report carry New_label or label (0 normal, 1 and 2 anomalous)',
    )
  }
}

/** @throws where clusters would be empty or nothing can be learned, before hours of training. */
export async function checkRows(rows: Rows, labelled: number, k: number): Promise<void> {
  if (labelled === 0) throw new HistoryError(`none of the ${rows.rows} windows has a known label`)
  if (labelled < k) {
    throw new HistoryError(
      `${labelled} labelled windows can't fill ${k} clusters; lower training.centres or give more history`,
    )
  }
  if ((await meanPredictorError(rows)) === 0) {
    throw new ModelError(
      'too_little_data',
      `no feature varies over the ${rows.rows} windows: there is nothing to learn from`,
    )
  }
}

export interface LabelledWindows {
  /** 1 anomalous, 0 normal. */
  labels: Int32Array
  /** Scaled features, a row a label. */
  features: Float32Array
  /** Windows with at least one feature missing; it counts as the training mean. */
  incomplete: number
}

/** Rows read at once: 1.8 MB at d = 460. */
const READ_ROWS = 1024

/** Those of the prepared training windows whose label is known. */
export async function labelledWindows({
  rows,
  store,
}: Pick<Prepared, 'rows' | 'store'>): Promise<LabelledWindows> {
  const d = rows.features
  const labels: number[] = []
  // Positions in `rows`, which holds the training windows in the order of the store.
  const positions: number[] = []
  let incomplete = 0
  for await (const block of store.windows('train', READ_ROWS)) {
    for (let i = 0; i < block.rows; i++) {
      const label = block.label[i]! // i < rows
      if (label === -1) continue
      labels.push(label)
      positions.push(block.first + i)
      if (block.values.subarray(i * d, (i + 1) * d).some(Number.isNaN)) incomplete++
    }
  }
  const features = new Float32Array(positions.length * d)
  let taken = 0
  for await (const { first, n, x } of rows.blocks(READ_ROWS)) {
    for (; taken < positions.length; taken++) {
      const row = positions[taken]! - first // taken < length
      if (row >= n) break
      features.set(x.subarray(row * d, (row + 1) * d), taken * d)
    }
  }
  return { labels: Int32Array.from(labels), features, incomplete }
}
