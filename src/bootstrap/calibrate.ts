/** From a trained network to a model that scores: profiles of the modes, and what held-out windows do. */
import type { TrainingConfig } from '../config/schema.ts'
import { type Calibrated, calibrate } from '../detect/calibrate.ts'
import { Scorer } from '../model/scorer.ts'
import { EVIDENCE, scoringGraph } from '../model/scoring.ts'
import type { WindowStore } from '../windows/store.ts'
import type { Prepared } from './prepare.ts'
import { learnProfiles, scoreRows } from './profiles.ts'
import type { Trained } from './train.ts'

const WEEK_SECONDS = 7 * 86_400

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
  const profiles = await learnProfiles(store, selection.train, selection.calibration, plain, modes, signal)
  await plain.release()
  const model = scoringGraph(network, dec.layers, dec.centres, scaler, profiles)
  const scorer = await Scorer.create(model, store.features)
  const { evidence, clipped } = await collectEvidence(store, selection.calibration, scorer, signal)
  await scorer.release()
  const windowsAWeek = WEEK_SECONDS / schema.everySeconds
  const calibration = calibrate(
    {
      rows: selection.calibration.length,
      node: selection.calibration.map((row) => store.node[row]!),
      evidence,
    },
    Math.min(0.5, false_flags_per_node_week / windowsAWeek),
  )
  return { model, calibration, clipped }
}

async function collectEvidence(
  store: WindowStore,
  rows: Int32Array,
  scorer: Scorer,
  signal?: AbortSignal,
): Promise<{ evidence: Float32Array; clipped: number }> {
  const kinds = EVIDENCE.length
  const evidence = new Float32Array(rows.length * kinds)
  let clipped = 0
  await scoreRows(
    store,
    rows,
    scorer,
    (first, count, scores) => {
      evidence.set(scores.evidence.subarray(0, count * kinds), first * kinds)
      for (let i = 0; i < count; i++) clipped += scores.clipped[i]!
    },
    signal,
  )
  return { evidence, clipped: clipped / (rows.length * store.features) }
}
