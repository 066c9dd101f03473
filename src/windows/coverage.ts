import type { Metric } from './schema.ts'
import type { WindowStore } from './store.ts'

/** Counts above this are pooled in one bin when medians are taken; 16 cores × 900 s stay below it. */
const MAX_COUNT = 16_384
/** Rows read at once when passing over a store. */
const READ_ROWS = 4096

/**
 * Samples of each metric in a typical window: the median of the non-zero counts over all windows of the store, or
 * null for a metric without samples.
 */
export function learnExpectedSamples(store: WindowStore): (number | null)[] {
  const histograms = Array.from({ length: store.metrics }, () => new Uint32Array(MAX_COUNT + 1))
  const buffer = new Uint16Array(READ_ROWS * store.metrics)
  for (const { first, rows } of store.spans(READ_ROWS)) {
    const counts = store.read('counts', first, rows, buffer)
    for (let i = 0; i < counts.length; i++) {
      // i % metrics < metrics; counts are clamped to the last bin.
      histograms[i % store.metrics]![Math.min(counts[i]!, MAX_COUNT)]!++
    }
  }
  return histograms.map((histogram) => {
    histogram[0] = 0
    const half = histogram.reduce((a, b) => a + b, 0) / 2
    if (half === 0) return null
    let seen = 0
    return histogram.findIndex((n) => {
      seen += n
      return seen >= half
    })
  })
}

/**
 * Share of the expected samples that a window holds, 0 … 1: the mean over metrics of min(1, count / expected).
 * A metric that never had samples in training does not count.
 */
export function coverage(metrics: readonly Metric[], counts: Uint16Array, offset: number): number {
  let sum = 0
  let known = 0
  for (let m = 0; m < metrics.length; m++) {
    const expected = metrics[m]!.expectedSamples // m < length
    if (expected === null) continue
    known++
    sum += Math.min(1, (counts[offset + m] ?? 0) / expected)
  }
  return known === 0 ? 0 : sum / known
}
