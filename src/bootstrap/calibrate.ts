/** From a trained network to a model that scores: profiles of the modes, and what held-out windows do. */
import type { TrainingConfig } from '../config/schema.ts'
import { type Calibrated, type CalibrationWindows, calibrate } from '../detect/calibrate.ts'
import { SCORE_ROWS, Scorer, type Scores } from '../model/scorer.ts'
import { EVIDENCE, scoringGraph } from '../model/scoring.ts'
import type { PartBlock, WindowStore } from '../windows/store.ts'
import { drawNodes } from './draw.ts'
import type { Prepared } from './prepare.ts'
import { learnProfiles, scoreWindows } from './profiles.ts'
import { calibrationPart, type Selection } from './select.ts'
import type { Trained } from './train.ts'

const WEEK_SECONDS = 7 * 86_400
/**
 * Calibration looks at so many windows at most. Their median is then known to a hundredth of a spread, and the tail is
 * fitted on the 10,000 largest, whose mean is known to one in a hundred.
 */
const MOST_WINDOWS = 200_000

export interface CalibratedModel {
  /** The scoring graph with profiles, as ONNX. */
  model: Uint8Array
  calibration: Calibrated
  /** Share of the inputs of the calibration windows that were cut to the scaler's span. */
  clipped: number
}

export async function calibrateModel(
  { schema, store, selection, scaler }: Pick<Prepared, 'schema' | 'store' | 'selection' | 'scaler'>,
  { network, dec }: Pick<Trained, 'network' | 'dec'>,
  { false_flags_per_node_week }: Pick<TrainingConfig, 'false_flags_per_node_week'>,
  signal?: AbortSignal,
): Promise<CalibratedModel> {
  const modes = dec.shares.length
  const plain = await Scorer.create(
    scoringGraph(network, dec.layers, dec.centres, scaler, null),
    store.features,
  )
  const profiles = await learnProfiles(store, selection, plain, modes, signal)
  await plain.release()
  const model = scoringGraph(network, dec.layers, dec.centres, scaler, profiles)
  const scorer = await Scorer.create(model, store.features)
  const { windows, clipped } = await collectEvidence(store, selection, scorer, signal)
  await scorer.release()
  const windowsAWeek = WEEK_SECONDS / schema.everySeconds
  const calibration = calibrate(windows, Math.min(0.5, false_flags_per_node_week / windowsAWeek))
  return { model, calibration, clipped }
}

/**
 * Evidence of calibration windows, whole nodes evenly drawn. `drawNodes` bounds their number; a single node with more
 * windows than that gives its first ones.
 */
async function collectEvidence(
  store: WindowStore,
  selection: Selection,
  scorer: Scorer,
  signal?: AbortSignal,
): Promise<{ windows: CalibrationWindows; clipped: number }> {
  const kinds = EVIDENCE.length
  const most = Math.min(selection.calibration, MOST_WINDOWS)
  const drawn = drawNodes(store, selection, MOST_WINDOWS)
  const node = new Int32Array(most)
  const evidence = new Float32Array(most * kinds)
  let rows = 0
  let clipped = 0
  const visit = (scores: Scores, block: PartBlock): void => {
    for (let i = 0; i < block.rows && rows < most; i++, rows++) {
      node[rows] = block.node[i]! // i < block.rows
      for (let kind = 0; kind < kinds; kind++) {
        evidence[rows * kinds + kind] = scores.evidence[i * kinds + kind]! // one a row and kind
      }
      clipped += scores.clipped[i]! // one a row
    }
  }
  const windows = store.windows(calibrationPart(selection), SCORE_ROWS, drawn)
  await scoreWindows(windows, scorer, visit, signal)
  return {
    windows: {
      rows,
      node: node.subarray(0, rows),
      evidence: evidence.subarray(0, rows * kinds),
    },
    clipped: clipped / (rows * store.features),
  }
}
