/** What a reader must know before believing the figures: what the history or its labels lack. */
import type { History } from '../history/types.ts'
import type { Bundle } from '../model/bundle.ts'
import type { EvaluatedWindows } from './windows.ts'

/** Names listed in a message; the rest is counted. */
const MOST_NAMES = 8

/**
 * Above this share of windows that are not labelled anomalous and yet stranger than every calibration window, the history
 * has moved away: were it like the calibration windows, there would be one in as many as there are of those.
 */
const MOVED_SHARE = 0.5

/** What was counted while the windows passed. */
export interface Seen {
  /** By metric of the schema, whether any window has a value of it. */
  hasValues: Uint8Array
  /** Scored windows that are not labelled anomalous, and those of them that are stranger than every calibration window. */
  usual: number
  beyond: number
}

export function notesOn(bundle: Bundle, history: History, windows: EvaluatedWindows, seen: Seen): string[] {
  const { schema, scaler } = bundle.manifest
  const absent = schema.metrics.filter((_, m) => seen.hasValues[m] === 0).map(({ name }) => name)
  const known = new Set(scaler.nodes)
  const strangers = history.nodes.filter((node) => !known.has(node))
  return [
    ...labelNotes(history, windows),
    ...(seen.beyond <= MOVED_SHARE * seen.usual
      ? []
      : [
          `${Math.round((100 * seen.beyond) / seen.usual)} % of the windows not labelled anomalous are stranger than every calibration window: this machine no longer does what the model was trained on. The threshold means little here, though the ranking may hold; train on newer history`,
        ]),
    ...(absent.length === 0
      ? []
      : [
          `${absent.length} of the model's ${schema.metrics.length} metrics have no value in this history (${listed(absent)}); they count as missing, which lowers coverage and hides faults`,
        ]),
    ...(strangers.length === 0
      ? []
      : [
          `${strangers.length} of ${history.nodes.length} nodes are not known to the model (${listed(strangers)}); they are scaled by the range of the whole fleet`,
        ]),
  ]
}

function labelNotes(history: History, { rows, label, columns }: EvaluatedWindows): string[] {
  if (!history.labelled) return ['the history has no labels: figures that need them are left out']
  const score = columns[0]!.score // the model has the first column
  let [anomalous, normal, unscored] = [0, 0, 0]
  for (let row = 0; row < rows; row++) {
    const isScored = !Number.isNaN(score[row]!)
    if (label[row] === 1 && !isScored) unscored++
    else if (label[row] === 1) anomalous++
    else if (label[row] === 0 && isScored) normal++
  }
  const notes: string[] = []
  if (anomalous + normal === 0)
    notes.push('no scored window has a label: figures that need labels are left out')
  else if (anomalous === 0) {
    notes.push('no scored window is labelled anomalous: AUROC, AP, best F1 and recall are not defined')
  } else if (normal === 0) {
    notes.push('every scored window is labelled anomalous: AUROC and false flags are not defined')
  }
  if (unscored > 0) {
    notes.push(
      `${unscored} windows labelled anomalous have too few samples to be scored; figures by window leave them out`,
    )
  }
  return notes
}

/** Why not one window could be scored; a message for the user. */
export function nothingScored(
  bundle: Bundle,
  history: History,
  windows: EvaluatedWindows,
  { hasValues }: Seen,
  minCoverage: number,
): string {
  const { metrics } = bundle.manifest.schema
  const absent = metrics.filter((_, m) => hasValues[m] === 0).map(({ name }) => name)
  const why =
    absent.length > 0
      ? `the history has no value of ${absent.length} of the model's ${metrics.length} metrics: ${listed(absent)}; it holds ${listed(history.sensors)}`
      : 'every metric is there, but with too few samples a window'
  return `none of ${windows.rows} windows reaches a coverage of ${minCoverage} (detect.min_coverage), so nothing can be scored: ${why}`
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES
  return names.slice(0, MOST_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
