import { defaultConfig } from '../../src/config/load.ts'
import { Detector } from '../../src/detect/detector.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import type { FlagRecord } from '../../src/detect/records.ts'
import type { Bundle } from '../../src/model/bundle.ts'
import { Scorer } from '../../src/model/scorer.ts'
import { featureCount } from '../../src/windows/schema.ts'

/** The committed bundle. */
export const REFERENCE_BUNDLE = new URL('../../models/reference', import.meta.url).pathname
/** Committed windows with the scores they had when the bundle was made. */
export const REFERENCE_WINDOWS = new URL('../model/reference-windows.json', import.meta.url).pathname

export interface ReferenceWindow {
  node: string
  startMs: number
  /** Raw features in schema order, null where missing. */
  values: (number | null)[]
  score: number | null
  mode: number | null
}

export interface ReferenceWindows {
  model: string
  windows: ReferenceWindow[]
}

/** Flags of the windows in their order, by the live code. */
export async function scoreReference(
  bundle: Bundle,
  windows: readonly ReferenceWindow[],
): Promise<FlagRecord[]> {
  const { schema, scaler } = bundle.manifest
  const d = featureCount(schema)
  const rows = windows.length
  const values = Float64Array.from(windows.flatMap((window) => window.values.map((v) => v ?? Number.NaN)))
  const scorer = await Scorer.create(bundle.model, d)
  const node = Int32Array.from(windows, (window) => scaler.nodes.indexOf(window.node) + 1)
  const scores = await scorer.score(values, node, rows)
  await scorer.release()
  const detector = new Detector(bundle, detectorOptions(defaultConfig().detect))
  const block = {
    rows,
    node: new Int32Array(rows),
    start: Float64Array.from(windows, ({ startMs }) => startMs),
    values,
    counts: new Uint16Array(rows * schema.metrics.length),
    label: new Int8Array(rows),
  }
  return windows.map((window, row) => {
    const facts = { node: window.node, rack: null, muted: false, rebooted: false }
    return detector.take(facts, block, row, 1, scores, row).flag
  })
}
