/** What a model must show before it is published. Each guard passes, warns, or refuses with advice. */
import { ModelError } from '../model/errors.ts'
import type { Guard } from '../model/manifest.ts'

/** An autoencoder that is not at least 5 % better than the mean predictor has learned nothing. */
export const MEAN_PREDICTOR_LIMIT = 0.95
/** One mode with more than this share of the windows leaves nothing for the others to tell. */
const COLLAPSED_SHARE = 0.995
const LARGE_SHARE = 0.9
/** Share of inputs cut to the scaler's span in the calibration windows. */
const CLIPPED_WARNING = 0.02
const CLIPPED_REFUSED = 0.25

export interface GuardFigures {
  /** Mean squared error a feature on the training windows, in scaled units. */
  autoencoderError: number
  meanPredictorError: number
  /** PCA with as many components as the code has dimensions, on the same windows. */
  pcaError: number
  code: number
  shares: readonly number[]
  /** Share of the inputs of the calibration windows that were cut. */
  clipped: number
  /**
   * Whether the autoencoder must beat PCA. The report claims more than a linear code; the default stops earlier on
   * purpose, because a network that reconstructs everything also reconstructs faults.
   */
  beatPca: boolean
}

/** @throws ModelError with code `guard` when the model must not be published. */
export function checkGuards(figures: GuardFigures): Guard[] {
  return [
    meanPredictor(figures),
    ...(figures.beatPca ? [linear(figures)] : []),
    collapse(figures),
    emptyModes(figures),
    clipped(figures),
  ]
}

function meanPredictor({ autoencoderError: value, meanPredictorError }: GuardFigures): Guard {
  const limit = MEAN_PREDICTOR_LIMIT * meanPredictorError
  if (!(value < limit)) {
    throw new ModelError(
      'guard',
      `the autoencoder (error ${value.toPrecision(3)}) is no better than predicting the mean (${meanPredictorError.toPrecision(3)}): it has not left its first plateau. Train longer (training.pretrain.epochs), raise the learning rate, or use initialiser variance-scaling`,
    )
  }
  return pass('mean_predictor', value, limit, 'the autoencoder is better than predicting the mean')
}

function linear({ autoencoderError: value, pcaError: limit, code }: GuardFigures): Guard {
  if (value < limit) return pass('pca', value, limit, `the code is better than PCA with ${code} components`)
  throw new ModelError(
    'guard',
    `the autoencoder (error ${value.toPrecision(3)}) is no better than PCA with ${code} components (${limit.toPrecision(3)}); train longer (training.pretrain.epochs) or with a wider network (training.hidden)`,
  )
}

function collapse({ shares }: GuardFigures): Guard {
  const value = Math.max(...shares)
  if (value > COLLAPSED_SHARE) {
    throw new ModelError(
      'guard',
      `one mode holds ${percent(value)} of the windows: the clustering has collapsed. Lower training.cluster.learning_rate or gamma, or give history in which the machine does more than one thing`,
    )
  }
  if (value <= LARGE_SHARE) return pass('largest_mode', value, LARGE_SHARE, 'no mode holds nearly everything')
  const message = `one mode holds ${percent(value)} of the windows; fewer centres (training.centres) may describe this machine better`
  return { name: 'largest_mode', result: 'warning', value, limit: LARGE_SHARE, message }
}

function emptyModes({ shares }: GuardFigures): Guard {
  const value = shares.filter((share) => share === 0).length
  if (value === 0) return pass('empty_modes', 0, 0, 'every mode holds windows')
  const message = `${value} of ${shares.length} modes hold no window; lower training.centres to ${shares.length - value}`
  return { name: 'empty_modes', result: 'warning', value, limit: 0, message }
}

function clipped({ clipped: value }: GuardFigures): Guard {
  if (value > CLIPPED_REFUSED) {
    throw new ModelError(
      'guard',
      `${percent(value)} of the inputs of the calibration windows lie far outside the training range: the end of the history does not look like its beginning. Give a history that covers both`,
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
