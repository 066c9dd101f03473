/** A trained model, calibrated and checked by the guards, as a bundle. */
import type { TrainingConfig } from '../config/schema.ts'
import { SCALE_WEIGHTS } from '../detect/memory.ts'
import { fitPca } from '../evaluate/baselines/pca.ts'
import { writeBundle } from '../model/bundle.ts'
import type { Clustered } from '../model/dec.ts'
import type { Guard, Moved } from '../model/manifest.ts'
import type { Rows } from '../model/rows.ts'
import { EVIDENCE } from '../model/scoring.ts'
import { calibrateModel } from './calibrate.ts'
import { checkGuards } from './guards.ts'
import { whatMoved } from './moved.ts'
import type { Prepared } from './prepare.ts'
import type { Progress } from './progress.ts'
import { drawReference } from './reference.ts'
import type { Trained } from './train.ts'
import type { OldModel } from './warm.ts'

export interface BootstrapResult {
  out: string
  version: string
  nodes: number
  windows: { read: number; trained: number; calibrated: number; anomalous: number; thin: number }
  features: number
  /** Mean squared errors a feature over the training windows; `afterDec` of the network that is published. */
  autoencoder: { error: number; afterDec: number; meanPredictor: number; pca: number }
  modes: number[]
  dec: { iterations: number; stopped: Clustered['stopped'] }
  threshold: number
  guards: Guard[]
  /** What a retraining has changed. */
  moved?: Moved
}

/** PCA for the guard looks at this many training windows at most. */
const PCA_ROWS = 20_000
/** Rows read at once: 1.8 MB at d = 460. */
const READ_ROWS = 1024

/** Calibrates, checks the guards and writes the bundle. */
export async function publish(
  prepared: Prepared,
  trained: Trained,
  {
    training,
    out,
    progress,
    signal,
    old,
  }: {
    training: TrainingConfig
    out: string
    progress: Progress
    signal?: AbortSignal | undefined
    /** The model that the training started from. */
    old?: OldModel | undefined
  },
): Promise<BootstrapResult> {
  const { schema, store, selection, scaler, rows } = prepared
  const { network, dec, options, losses, meanPredictor } = trained
  const step = progress.step('calibrate')
  const { model, calibration, clipped } = await calibrateModel(prepared, trained, training, signal)
  step.finish(`threshold at ${calibration.threshold.toFixed(1)} spreads from ${calibration.windows} windows`)

  const { before: error, after: afterDec } = dec.reconstruction
  const components = Math.min(options.code, rows.features - 1, rows.rows - 1)
  // With one feature no component is left: PCA without any is the mean predictor.
  const pca = components === 0 ? meanPredictor : await pcaError(rows, components)
  const guards = checkGuards({
    losses,
    meanPredictorError: meanPredictor,
    pcaError: pca,
    reconstruction: dec.reconstruction,
    shares: dec.shares,
    clipped,
    beatPca: training.preset === 'report',
    options,
  })
  signal?.throwIfAborted()
  const moved =
    old === undefined ? undefined : await whatMoved(old, prepared, trained, model, calibration.threshold)
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
        fromMs: selection.fromMs,
        toMs: selection.toMs + schema.lengthSeconds * 1000,
        windows: selection.train,
        leftOut: selection.leftOut,
        options: { ...options },
        pretrainLoss: losses,
        reconstruction: dec.reconstruction,
        baselineErrors: { meanPredictor, pca },
        updates: dec.updates,
        stopped: dec.stopped,
        ...(moved === undefined ? {} : { moved }),
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
      trained: selection.train,
      calibrated: selection.calibration,
      anomalous: selection.leftOut.anomalous,
      thin: selection.leftOut.coverage,
    },
    features: store.features,
    autoencoder: { error, afterDec, meanPredictor, pca },
    modes: dec.shares,
    dec: { iterations: dec.updates.at(-1)?.iteration ?? 0, stopped: dec.stopped },
    threshold: calibration.threshold,
    guards,
    ...(moved === undefined ? {} : { moved }),
  }
}

/** Mean squared error a feature of a PCA reconstruction, over PCA_ROWS training windows at most, evenly drawn. */
async function pcaError(rows: Rows, components: number): Promise<number> {
  const d = rows.features
  const stride = Math.max(1, Math.ceil(rows.rows / PCA_ROWS))
  const drawn = new Float32Array(Math.ceil(rows.rows / stride) * d)
  let count = 0
  for await (const { first, n, x } of rows.blocks(READ_ROWS)) {
    for (let i = (stride - (first % stride)) % stride; i < n; i += stride, count++) {
      drawn.set(x.subarray(i * d, (i + 1) * d), count * d)
    }
  }
  const errors = await fitPca(drawn, count, d, { components }).score(drawn, count)
  return errors.reduce((a, b) => a + b, 0) / count
}
