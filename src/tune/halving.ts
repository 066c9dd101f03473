/** How much of a full training each rung of a search gives, and who goes on. */

export interface Rung {
  /** How many trials run in it. */
  trials: number
  /** Share of the full number of epochs, 1 in the last rung. */
  share: number
}

export interface Plan {
  strategy: 'random' | 'halving'
  trials: number
  /** η: one trial in so many goes on. */
  reduction: number
  /** Epochs of a full training, and the least of any rung. */
  fullEpochs: number
  minEpochs: number
}

/**
 * Successive halving (Jamieson & Talwalkar 2016; one bracket of Hyperband, Li et al. 2018): all trials with the
 * share η^-s of the epochs, the best ⌊n/η⌋ with η times as many, until the last rung trains in full. s is as large as the number of
 * trials and the least number of epochs allow. Random search is the last rung alone.
 */
export function planRungs({ strategy, trials, reduction, fullEpochs, minEpochs }: Plan): Rung[] {
  if (strategy === 'random') return [{ trials, share: 1 }]
  const rungs: Rung[] = [{ trials, share: 1 }]
  let left = Math.floor(trials / reduction)
  while (left >= 1 && fullEpochs / reduction ** rungs.length >= minEpochs) {
    rungs.push({ trials: left, share: 1 })
    left = Math.floor(left / reduction)
  }
  return rungs.map(({ trials: n }, i) => ({ trials: n, share: reduction ** (i + 1 - rungs.length) }))
}

/** Best first; a trial without a criterion goes last, the earlier of two equals first. */
export function rank<T extends { trial: number; criterion: number | null }>(results: readonly T[]): T[] {
  const of = ({ criterion }: T): number => criterion ?? Number.NEGATIVE_INFINITY
  return results.toSorted((a, b) => (of(a) === of(b) ? a.trial - b.trial : of(b) - of(a)))
}
