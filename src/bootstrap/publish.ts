/** Profiles, calibration and guards of a trained model, and its bundle. */
import type { TrainingConfig } from '../config/schema.ts'
import { calibrate } from '../detect/calibrate.ts'
import { SCALE_WEIGHTS } from '../detect/memory.ts'
import { fitPca } from '../evaluate/baselines.ts'
import { writeBundle } from '../model/bundle.ts'
import type { Clustered } from '../model/dec.ts'
import type { Guard } from '../model/manifest.ts'
import type { Rows } from '../model/rows.ts'
import { Scorer } from '../model/scorer.ts'
import { EVIDENCE, scoringGraph } from '../model/scoring.ts'
import type { WindowStore } from '../windows/store.ts'
import { checkGuards } from './guards.ts'
import type { Prepared } from './prepare.ts'
import { learnProfiles, scoreRows } from './profiles.ts'
import type { Progress } from './progress.ts'
import { drawReference } from './reference.ts'
import type { Trained } from './train.ts'

export interface BootstrapResult {
  out: string
  version: string
  nodes: number
  windows: { read: number; trained: number; calibrated: number; anomalous: number; thin: number }
  features: number
  autoencoder: { error: number; meanPredictor: number; pca: number }
  modes: number[]
  dec: { iterations: number; stopped: Clustered['stopped'] }
  threshold: number
  guards: Guard[]
}

/** PCA for the guard looks at this many training windows at most. */
const PCA_ROWS = 20_000
const WEEK_SECONDS = 7 * 86_400

/** Calibrates, checks the guards and writes the bundle. */
export async function publish(
  prepared: Prepared,
  trained: Trained,
  {
    training,
    out,
    progress,
    signal,
  }: { training: TrainingConfig; out: string; progress: Progress; signal?: AbortSignal | undefined },
): Promise<BootstrapResult> {
  const { schema, store, selection, scaler, rows } = prepared
  const { network, dec, options, losses, meanPredictor } = trained
  const step = progress.step('calibrate')
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
    Math.min(0.5, training.false_flags_per_node_week / windowsAWeek),
  )
  step.finish(`threshold at ${calibration.threshold.toFixed(1)} spreads from ${calibration.windows} windows`)

  const autoencoderError = losses.at(-1) ?? Number.NaN
  const components = Math.min(options.code, rows.features - 1, rows.rows - 1)
  // With one feature no component is left: PCA without any is the mean predictor.
  const pca = components === 0 ? meanPredictor : await pcaError(rows, components)
  const guards = checkGuards({
    autoencoderError,
    meanPredictorError: meanPredictor,
    pcaError: pca,
    code: options.code,
    shares: dec.shares,
    clipped,
    beatPca: training.preset === 'report',
  })
  signal?.throwIfAborted()
  const starts = selection.train
  const reference = await drawReference(store, scaler, selection)
  const version = writeBundle(out, {
    manifest: {
      schema,
      catalogue: prepared.catalogue,
      network,
      modes: dec.shares.map((share) => ({ share })),
      scaler: {
        kind: training.preset === 'report' ? 'min-max' : 'min-max by node',
        nodes: scaler.nodes,
      },
      training: {
        preset: training.preset,
        seed: trained.seed,
        layout: prepared.layout,
        fingerprint: prepared.fingerprint,
        fromMs: store.start[starts[0] ?? 0] ?? 0,
        toMs: (store.start[starts.at(-1) ?? 0] ?? 0) + schema.lengthSeconds * 1000,
        windows: selection.train.length,
        leftOut: selection.leftOut,
        options: { ...options },
        pretrainLoss: losses,
        baselineErrors: { meanPredictor, pca },
        updates: dec.updates,
        stopped: dec.stopped,
      },
      calibration: {
        windows: calibration.windows,
        falseFlagRate: calibration.falseFlagRate,
        threshold: calibration.threshold,
        weights: [...SCALE_WEIGHTS],
        evidence: [...EVIDENCE],
        centre: calibration.centre,
        spread: calibration.spread,
        inSample: selection.inSample,
      },
      reference: {
        train: reference.train,
        trainNodes: reference.trainNodes,
        calibration: reference.calibration,
      },
      guards,
    },
    model,
    reference: reference.rows,
    combined: calibration.combined,
  })
  return {
    out,
    version,
    nodes: scaler.nodes.length,
    windows: {
      read: store.rows,
      trained: selection.train.length,
      calibrated: selection.calibration.length,
      anomalous: selection.leftOut.anomalous,
      thin: selection.leftOut.coverage,
    },
    features: store.features,
    autoencoder: { error: autoencoderError, meanPredictor, pca },
    modes: dec.shares,
    dec: { iterations: dec.updates.at(-1)?.iteration ?? 0, stopped: dec.stopped },
    threshold: calibration.threshold,
    guards,
  }
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

/** Mean squared error a feature of a PCA reconstruction, over the first PCA_ROWS training windows at most. */
async function pcaError(rows: Rows, components: number): Promise<number> {
  for await (const { n, x } of rows.blocks(PCA_ROWS)) {
    const errors = fitPca(x, n, rows.features, { components }).score(x, n)
    return errors.reduce((a, b) => a + b, 0) / n
  }
  return Number.NaN // of no rows at all; a selection holds at least LEAST_TRAINING_WINDOWS
}
