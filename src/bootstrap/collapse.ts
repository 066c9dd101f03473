/** Looks at every update of DEC's target and ends a run that will not be published, while there is time to change it. */
import type { DecUpdate } from '../model/dec.ts'
import { ModelError } from '../model/errors.ts'
import type { Renewed } from '../model/soft-assignment.ts'
import { COLLAPSED_SHARE, gentler } from './guards.ts'
import type { ModelOptions } from './presets.ts'

/** A run may pass through a bad state; one that stays in it for so many updates does not come back. */
const PATIENCE = 3

/**
 * Returns what is to be called at each update. It throws a ModelError with code `guard` once one centre has held nearly
 * all rows, or once the reconstruction has been no better than the mean predictor in the steps before, for three updates on end.
 * The latter is not asked of DEC without reconstruction, whose decoder stands still.
 */
export function watchCollapse(
  options: ModelOptions,
  meanPredictorError: number,
): (update: DecUpdate, whole: Renewed) => void {
  let crowded = 0
  let forgotten = 0
  return ({ iteration, squaredError: error }, { shares }) => {
    const largest = Math.max(...shares)
    crowded = largest > COLLAPSED_SHARE ? crowded + 1 : 0
    forgotten = error >= meanPredictorError && options.cluster.reconstruction !== 0 ? forgotten + 1 : 0
    if (crowded === PATIENCE) {
      const empty = shares.filter((share) => share === 0).length
      throw new ModelError(
        'guard',
        `DEC has collapsed: for ${PATIENCE} updates, up to iteration ${iteration}, one centre has held ${(100 * largest).toFixed(1)} % of the windows and ${empty} of ${shares.length} none. ${gentler(options)}; or set training.pretrain.epochs to ${2 * options.pretrain.epochs} (now ${options.pretrain.epochs}) or fewer training.centres (now ${shares.length})`,
      )
    }
    if (forgotten === PATIENCE) {
      throw new ModelError(
        'guard',
        `DEC has lost the reconstruction: for ${PATIENCE} updates, up to iteration ${iteration}, its error (${error.toPrecision(3)}) has been no better than predicting the mean (${meanPredictorError.toPrecision(3)}). ${gentler(options)}`,
      )
    }
  }
}
