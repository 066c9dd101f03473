/** One trial: a model trained with the drawn values on a share of the epochs, and its criterion. */
import { calibrateModel } from '../bootstrap/calibrate.ts'
import type { Prepared } from '../bootstrap/prepare.ts'
import { type ModelOptions, modelOptions } from '../bootstrap/presets.ts'
import type { Progress } from '../bootstrap/progress.ts'
import { trainModel } from '../bootstrap/train.ts'
import type { TrainingConfig } from '../config/schema.ts'
import type { Bytes } from '../config/size.ts'
import { ModelError } from '../model/errors.ts'
import { type Criterion, injectFaults, scoreFaults, scoreLabelled } from './criterion.ts'
import { drawHeldOut } from './held-out.ts'
import type { Values } from './space.ts'

export interface Trial {
  trial: number
  rung: number
  values: Values
  /** Share of the full number of epochs. */
  share: number
}

export interface TrialResult extends Trial {
  /** Larger is better; null for a trial that failed. */
  criterion: number | null
  /** Mean squared error a feature at the end of pretraining; null for a trial that failed. */
  loss: number | null
  seconds: number
  /** Most resident memory of its process, and what was expected. */
  peakBytes: Bytes
  expectedBytes: Bytes
  /** Why there is no criterion. */
  failed: string | null
  /** Whether its process died, which says nothing of the values: it is tried again when the search goes on. */
  died: boolean
}

/** Training of a trial: options of its configuration, with the epochs and clustering steps of its rung. */
export function trialOptions(
  training: TrainingConfig,
  features: number,
  rows: number,
  share: number,
): ModelOptions {
  const options = modelOptions(training, features, rows)
  const part = (whole: number): number => Math.max(1, Math.round(share * whole))
  return {
    ...options,
    ...(options.layerwise === undefined
      ? {}
      : { layerwise: { ...options.layerwise, epochs: part(options.layerwise.epochs) } }),
    pretrain: { ...options.pretrain, epochs: part(options.pretrain.epochs) },
    cluster: { ...options.cluster, maxIterations: part(options.cluster.maxIterations) },
  }
}

export interface Judged {
  criterion: number
  loss: number
}

/**
 * Trains with all options of `training` and judges on held-out windows. `faultSeed` fixes the synthetic faults.
 *
 * @throws ModelError for a model that diverges or can't be judged.
 */
export async function judge(
  prepared: Prepared,
  training: TrainingConfig,
  share: number,
  criterion: Criterion,
  faultSeed: number,
  { progress, threads, signal }: { progress: Progress; threads: number; signal?: AbortSignal },
): Promise<Judged> {
  const { rows, store } = prepared
  const options = trialOptions(training, rows.features, rows.rows, share)
  const trained = await trainModel(rows, options, training.seed, progress, { signal, threads })
  const model = await calibrateModel(prepared, trained, training, signal)
  const loss = trained.losses.at(-1) ?? Number.NaN
  if (criterion === 'synthetic') {
    const faulty = injectFaults(await drawHeldOut(prepared), prepared, faultSeed)
    const figures = await scoreFaults(faulty, model, store.features)
    if (figures.length === 0) {
      throw new ModelError(
        'too_little_data',
        'the held-out windows are too alike to put synthetic faults into',
      )
    }
    return { criterion: figures.reduce((sum, f) => sum + f.averagePrecision, 0) / figures.length, loss }
  }
  const value = await scoreLabelled(prepared, model, criterion, signal)
  if (value === null) {
    throw new ModelError('too_little_data', 'the held-out windows hold labels of one class only')
  }
  return { criterion: value, loss }
}
