/** Which windows the baselines are fitted and calibrated on: those that the model had for either. */

import { selectionOptions } from '../bootstrap/presets.ts'
import { defaultConfig } from '../config/load.ts'
import { HistoryError } from '../history/error.ts'
import type { History } from '../history/types.ts'
import type { Bundle } from '../model/bundle.ts'
import { SCORE_ROWS, Scorer } from '../model/scorer.ts'
import type { WindowBlock } from '../windows/block.ts'
import { coverage } from '../windows/coverage.ts'
import { featureCount } from '../windows/schema.ts'
import { joined } from './joined.ts'
import { scalerRows, scoreBlock } from './score-block.ts'

/** Scaled windows, by the model's own scaler. */
export interface FittingWindows {
  features: number
  /** n × d. */
  train: Float32Array
  calibration: {
    /** n × d, windows of a node in the order of time. */
    rows: Float32Array
    /** Node of each row, any numbering. */
    node: Int32Array
  }
}

/** The windows that a bundle keeps for comparisons: at most 2048 training windows and as many calibration windows. */
export function bundledWindows(bundle: Bundle): FittingWindows {
  const { schema, reference } = bundle.manifest
  const features = featureCount(schema)
  return {
    features,
    train: bundle.reference.subarray(0, reference.train * features),
    calibration: {
      rows: bundle.reference.subarray(reference.train * features),
      node: Int32Array.from(reference.calibration.flatMap(([n, count]) => Array<number>(count).fill(n))),
    },
  }
}

/** Windows of each kind drawn from a history at most: 2 × 37 MB at d = 460. More would change no baseline by much. */
export const MOST_FITTING_WINDOWS = 20_000

/** Training windows lie in [0, 1] by the scaler that was fitted on them, up to single precision. */
const ROUNDING = 1e-5

/**
 * The same from the history that the model was trained on: all of its training windows, or every so many of them, and
 * the calibration windows of all nodes, or of every so many. Rejects with HistoryError when it is another history.
 */
export async function windowsOfHistory(
  bundle: Bundle,
  history: History,
  signal?: AbortSignal,
): Promise<FittingWindows> {
  const { schema, training, calibration } = bundle.manifest
  const features = featureCount(schema)
  const picker = new Picker(bundle)
  const scorer = await Scorer.create(bundle.model, features)
  const scalerRow = scalerRows(bundle, history.nodes)
  const train: Float32Array[] = []
  const held: Float32Array[] = []
  const heldNode: number[] = []
  try {
    const request = signal === undefined ? { blockRows: SCORE_ROWS } : { blockRows: SCORE_ROWS, signal }
    for await (const block of history.windows(schema, request)) {
      const { trains, calibrates } = picker.pick(block)
      const rows = [...trains, ...calibrates]
      if (rows.length === 0) continue
      const { scaled } = await scoreBlock(scorer, block, rows, scalerRow)
      const values = scaled.subarray(0, rows.length * features)
      const training = values.slice(0, trains.length * features)
      const outside = training.findIndex((value) => value < -ROUNDING || value > 1 + ROUNDING)
      if (outside >= 0) {
        const start = block.start[rows[Math.floor(outside / features)]!]! // a value of a row of the block
        throw otherHistory(
          `the window at ${new Date(start).toISOString()} lies outside of the range of the training windows`,
        )
      }
      train.push(training)
      held.push(values.slice(training.length))
      for (const row of calibrates) heldNode.push(block.node[row]!) // a row of the block
    }
  } finally {
    await scorer.release()
  }
  const calibrated = calibration.inSample ? picker.trained : picker.calibrated
  if (picker.trained !== training.windows || calibrated !== calibration.windows) {
    const boundary = new Date(training.toMs).toISOString()
    throw otherHistory(
      `it has ${picker.trained} windows to train on up to ${boundary} and ${calibrated} to calibrate on, the model had ${training.windows} and ${calibration.windows}`,
    )
  }
  return {
    features,
    train: joined(train),
    calibration: { rows: joined(held), node: Int32Array.from(heldNode) },
  }
}

function otherHistory(why: string): HistoryError {
  return new HistoryError(`--train is not the history that the model was trained on: ${why}`)
}

/** Finds the rows of a block that trained and calibrated the model, and thins them. */
class Picker {
  /** Windows so far, before thinning. */
  trained = 0
  calibrated = 0
  private readonly bundle: Bundle
  private readonly skipAnomalous: boolean
  private readonly minCoverage: number
  private readonly trainStride: number
  private readonly nodeStride: number
  private readonly lastTrainMs: number

  constructor(bundle: Bundle) {
    const { training, calibration, schema } = bundle.manifest
    const { skipAnomalous, minCoverage } = selectionOptions({
      ...defaultConfig().training,
      preset: training.preset,
    })
    this.bundle = bundle
    this.skipAnomalous = skipAnomalous
    this.minCoverage = minCoverage
    this.trainStride = Math.ceil(training.windows / MOST_FITTING_WINDOWS)
    this.nodeStride = Math.ceil(calibration.windows / MOST_FITTING_WINDOWS)
    this.lastTrainMs = training.toMs - schema.lengthSeconds * 1000
  }

  pick(block: WindowBlock): { trains: number[]; calibrates: number[] } {
    const { schema, calibration } = this.bundle.manifest
    const metrics = schema.metrics.length
    const trains: number[] = []
    const calibrates: number[] = []
    for (let row = 0; row < block.rows; row++) {
      if (this.skipAnomalous && block.label[row] === 1) continue
      if (coverage(schema.metrics, block.counts, row * metrics) < this.minCoverage) continue
      const isTraining = block.start[row]! <= this.lastTrainMs // row < rows, here and below
      if (isTraining && this.trained++ % this.trainStride === 0) trains.push(row)
      if (isTraining && !calibration.inSample) continue
      this.calibrated++
      if (block.node[row]! % this.nodeStride === 0) calibrates.push(row)
    }
    return { trains, calibrates }
  }
}
