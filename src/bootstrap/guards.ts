/** What a model must show before it is published. Each guard passes, warns, or refuses with advice. */
import { ModelError } from '../model/errors.ts'
import type { Guard } from '../model/manifest.ts'
import { findPlateau, MEAN_PREDICTOR_MARGIN } from './plateau.ts'
import type { ModelOptions } from './presets.ts'

/** An autoencoder that is not at least 5 % better than the mean predictor has learned nothing. */
export const MEAN_PREDICTOR_LIMIT = 1 - MEAN_PREDICTOR_MARGIN
/** One mode with more than this share of the windows leaves nothing for the others to tell. */
export const COLLAPSED_SHARE = 0.995
const LARGE_SHARE = 0.9
/** Clustering that makes the reconstruction so many times worse pulls the code off the data. */
const RECONSTRUCTION_RISE = 2
/** Share of inputs cut to the scaler's span in the calibration windows. */
const CLIPPED_WARNING = 0.02
const CLIPPED_REFUSED = 0.25

export interface GuardFigures {
  /** Mean squared error a feature of each epoch on the training windows, in scaled units. */
  losses: readonly number[]
  meanPredictorError: number
  /** PCA with as many components as the code has dimensions, on the same windows. */
  pcaError: number
  /** Error over all training windows before and after DEC. */
  reconstruction: { before: number; after: number }
  shares: readonly number[]
  /** Share of the inputs of the calibration windows that were cut. */
  clipped: number
  /**
   * Whether the autoencoder must beat PCA. The report claims more than a linear code; the default stops earlier on
   * purpose, because a network that reconstructs everything also reconstructs faults.
   */
  beatPca: boolean
  options: ModelOptions
}

/** @throws ModelError with code `guard` when the model must not be published. */
export function checkGuards(figures: GuardFigures): Guard[] {
  return [
    meanPredictor(figures),
    ...(figures.beatPca ? [linear(figures)] : []),
    reconstruction(figures),
    collapse(figures),
    emptyModes(figures),
    clipped(figures),
  ]
}

/** @throws ModelError with code `guard` when pretraining has left nothing that DEC could start from. */
export function checkPretrained({
  losses,
  meanPredictorError,
  options: { pretrain },
}: Pick<GuardFigures, 'losses' | 'meanPredictorError' | 'options'>): void {
  const value = losses.at(-1) ?? Number.NaN
  if (value < MEAN_PREDICTOR_LIMIT * meanPredictorError) return
  const plateau = findPlateau(losses, meanPredictorError)
  const found =
    plateau === null || plateau.escaped
      ? ''
      : `: it has not left its first plateau, epochs ${plateau.fromEpoch}–${plateau.toEpoch} at the mean predictor's error`
  const start =
    pretrain.initialiser === 'variance-scaling' ? '' : ', training.pretrain.initialiser to variance-scaling'
  throw new ModelError(
    'guard',
    `the autoencoder (error ${value.toPrecision(3)}) is no better than predicting the mean (${meanPredictorError.toPrecision(3)})${found}. Set training.pretrain.epochs to ${2 * pretrain.epochs} (now ${pretrain.epochs})${start}, or try a smaller training.pretrain.batch (now ${pretrain.batch}) or another training.pretrain.learning_rate (now ${pretrain.learningRate})`,
  )
}

function meanPredictor(figures: GuardFigures): Guard {
  checkPretrained(figures)
  const value = figures.losses.at(-1) ?? Number.NaN
  const limit = MEAN_PREDICTOR_LIMIT * figures.meanPredictorError
  return pass('mean_predictor', value, limit, 'the autoencoder is better than predicting the mean')
}

/** The autoencoder after DEC, which has moved it. */
function reconstruction({
  reconstruction: { before, after },
  meanPredictorError,
  options,
}: GuardFigures): Guard {
  if (!(after < MEAN_PREDICTOR_LIMIT * meanPredictorError)) {
    throw new ModelError(
      'guard',
      `after DEC the autoencoder (error ${after.toPrecision(3)}, before ${before.toPrecision(3)}) is no better than predicting the mean (${meanPredictorError.toPrecision(3)}). ${gentler(options)}`,
    )
  }
  const limit = RECONSTRUCTION_RISE * before
  if (after <= limit) return pass('reconstruction', after, limit, 'DEC has kept the reconstruction')
  const message = `DEC has made the reconstruction ${(after / before).toPrecision(2)} times worse. ${gentler(options)}`
  return { name: 'reconstruction', result: 'warning', value: after, limit, message }
}

/** What to change where DEC pulls too hard, with values. */
export function gentler({ cluster }: ModelOptions): string {
  const { gamma, learningRate, reconstruction: weight = 1 } = cluster
  const decoder = weight === 0 ? 'Set training.cluster.reconstruction to 1 (now 0), or lower' : 'Lower'
  return `${decoder} training.cluster.gamma to ${tenth(gamma)} (now ${gamma}) or training.cluster.learning_rate to ${tenth(learningRate)} (now ${learningRate})`
}

/** A tenth without the digits that binary fractions add. */
function tenth(value: number): number {
  return Number((value / 10).toPrecision(6))
}

function linear({ losses, pcaError: limit, options: { code, hidden, pretrain } }: GuardFigures): Guard {
  const value = losses.at(-1) ?? Number.NaN
  if (value < limit) return pass('pca', value, limit, `the code is better than PCA with ${code} components`)
  throw new ModelError(
    'guard',
    `the autoencoder (error ${value.toPrecision(3)}) is no better than PCA with ${code} components (${limit.toPrecision(3)}). Set training.pretrain.epochs to ${2 * pretrain.epochs} (now ${pretrain.epochs}), or wider layers in training.hidden (now ${hidden.join(', ')})`,
  )
}

function collapse({ shares, options }: GuardFigures): Guard {
  const value = Math.max(...shares)
  if (value > COLLAPSED_SHARE) {
    throw new ModelError(
      'guard',
      `one mode holds ${percent(value)} of the windows: the clustering has collapsed. ${gentler(options)}, or give history in which the machine does more than one thing`,
    )
  }
  if (value <= LARGE_SHARE) return pass('largest_mode', value, LARGE_SHARE, 'no mode holds nearly everything')
  const message = `one mode holds ${percent(value)} of the windows; fewer centres may describe this machine better: training.centres ${Math.max(2, shares.length >> 1)} (now ${shares.length})`
  return { name: 'largest_mode', result: 'warning', value, limit: LARGE_SHARE, message }
}

function emptyModes({ shares }: GuardFigures): Guard {
  const value = shares.filter((share) => share === 0).length
  if (value === 0) return pass('empty_modes', 0, 0, 'every mode holds windows')
  const message = `${value} of ${shares.length} modes hold no window; lower training.centres to ${Math.max(2, shares.length - value)}`
  return { name: 'empty_modes', result: 'warning', value, limit: 0, message }
}

function clipped({ clipped: value }: GuardFigures): Guard {
  if (value > CLIPPED_REFUSED) {
    throw new ModelError(
      'guard',
      `${percent(value)} of the inputs of the calibration windows lie far outside the training range: the end of the history does not look like its beginning. Give a history that covers both, or set training.holdout to 0`,
    )
  }
  if (value <= CLIPPED_WARNING) {
    return pass('clipped', value, CLIPPED_WARNING, 'calibration windows lie within the training range')
  }
  const message = `${percent(value)} of the inputs of the calibration windows lie far outside the training range`
  return { name: 'clipped', result: 'warning', value, limit: CLIPPED_WARNING, message }
}

function pass(name: string, value: number, limit: number, message: string): Guard {
  return { name, result: 'passed', value, limit, message }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
