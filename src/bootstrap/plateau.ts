/**
 * The first plateau of an autoencoder: with small initial weights its output is the mean of the data for many epochs
 * before it learns anything else. The published report stood there for epochs 3 to about 53.
 */

/** Epochs from 1, both ends included. */
export interface Plateau {
  fromEpoch: number
  toEpoch: number
  /** Whether a later epoch was better than the mean predictor. */
  escaped: boolean
}

/** A loss within this of the mean predictor's error is that of the mean predictor; below it something was learned. */
export const MEAN_PREDICTOR_MARGIN = 0.05
/** A curve that falls through the band spends an epoch or two in it. */
const LEAST_EPOCHS = 3

/**
 * The longest stretch of epochs whose loss stays at the error of predicting the mean; null where there is none of at
 * least three epochs. `losses`: one an epoch, in the unit of `meanPredictor`, which is above 0.
 */
export function findPlateau(losses: readonly number[], meanPredictor: number): Plateau | null {
  const low = (1 - MEAN_PREDICTOR_MARGIN) * meanPredictor
  const high = (1 + MEAN_PREDICTOR_MARGIN) * meanPredictor
  let longest = { from: 0, to: 0 }
  let from = 0
  for (const [i, loss] of losses.entries()) {
    if (!(loss >= low && loss <= high)) from = i + 1
    else if (i + 1 - from > longest.to - longest.from) longest = { from, to: i + 1 }
  }
  if (longest.to - longest.from < LEAST_EPOCHS) return null
  const escaped = losses.slice(longest.to).some((loss) => loss < low)
  return { fromEpoch: longest.from + 1, toEpoch: longest.to, escaped }
}
