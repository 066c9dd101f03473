import { ModelError } from '../model/errors.ts'
import type { WindowStore } from '../windows/store.ts'
import type { SelectionOptions } from './presets.ts'

export interface Selection {
  /** Rows of the store, ascending. */
  train: Int32Array
  /** The chronological end of the span; equal to `train` when nothing is held out. */
  calibration: Int32Array
  inSample: boolean
  leftOut: { anomalous: number; coverage: number }
}

/** Fewer windows make no model. */
export const LEAST_TRAINING_WINDOWS = 50
/** Fewer held-out windows make no calibration. */
export const LEAST_CALIBRATION_WINDOWS = 20

/** Splits usable windows by time: the last `holdout` of the span calibrates, the rest trains. */
export function selectWindows(
  store: WindowStore,
  coverage: Float32Array,
  options: SelectionOptions,
): Selection {
  const leftOut = { anomalous: 0, coverage: 0 }
  const usable: number[] = []
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  for (let row = 0; row < store.rows; row++) {
    if (options.skipAnomalous && store.label[row] === 1) leftOut.anomalous++
    else if (coverage[row]! < options.minCoverage) leftOut.coverage++
    else {
      usable.push(row)
      from = Math.min(from, store.start[row]!)
      to = Math.max(to, store.start[row]!)
    }
  }
  const boundary = from + (1 - options.holdout) * (to - from)
  const inSample = options.holdout === 0
  const train = Int32Array.from(inSample ? usable : usable.filter((row) => store.start[row]! <= boundary))
  const calibration = inSample ? train : Int32Array.from(usable.filter((row) => store.start[row]! > boundary))
  const found = `${store.rows} windows in the history, ${leftOut.anomalous} of them labelled anomalous and ${leftOut.coverage} with too few samples`
  if (train.length < LEAST_TRAINING_WINDOWS) {
    throw new ModelError(
      'too_little_data',
      `${train.length} windows are left to train on, at least ${LEAST_TRAINING_WINDOWS} are needed (${found}); give more history`,
    )
  }
  if (calibration.length < LEAST_CALIBRATION_WINDOWS) {
    throw new ModelError(
      'too_little_data',
      `${calibration.length} windows are left to calibrate on, at least ${LEAST_CALIBRATION_WINDOWS} are needed (${found}); give more history or raise training.holdout`,
    )
  }
  return { train, calibration, inSample, leftOut }
}
