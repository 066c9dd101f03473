/**
 * The score with memory over windows. Evidence comes in the log domain; each node keeps an exponentially weighted
 * mean of it at several time scales. A short scale sees the sudden, a long one the small that stays. Each mean is put
 * in units of what calibration windows do at that scale, the kinds of evidence are combined, the most telling scale
 * counts, and the threshold divides it: 1.0 is the threshold of every model.
 */

/** Weight of the newest window at each time scale: one window, about 3 and about 10 windows. */
export const SCALE_WEIGHTS = [1, 0.3, 0.1] as const

/** How evidence behaves on normal windows, learned by `calibrate`. */
export interface Calibration {
  /** Median of each kind of evidence at each scale: index kind × scales + scale. */
  centre: number[]
  /** Median absolute deviation, same order; positive. */
  spread: number[]
  /** Value of the combined evidence at which the score is 1.0. */
  threshold: number
}

/** Means of one node, index kind × scales + scale. */
export type Memory = Float64Array

/**
 * Evidence counts at most so many spreads above the centre at the shortest scale: an extreme window can raise the
 * longer memories no further than a plainly anomalous one, and they fall back as soon.
 */
const EVIDENCE_LIMIT = 60

/** A node starts from what is normal, so that its first windows are judged by themselves. */
export function startMemory(calibration: Calibration): Memory {
  return Float64Array.from(calibration.centre)
}

/**
 * Takes in the evidence of the next window (`evidence[at + kind]`) and returns the combined evidence: at each scale
 * the first kind (the residual) or the mean of all, whichever is larger. A fault of one part shows in the residual
 * alone, one of the whole node in both; the distance alone never outweighs the residual.
 */
export function combine(
  memory: Memory,
  calibration: Calibration,
  evidence: ArrayLike<number>,
  at: number,
): number {
  const scales = SCALE_WEIGHTS.length
  const kinds = memory.length / scales
  remember(memory, calibration, evidence, at)
  let most = Number.NEGATIVE_INFINITY
  for (let s = 0; s < scales; s++) {
    let sum = 0
    for (let kind = 0; kind < kinds; kind++) {
      const i = kind * scales + s // within memory, centre and spread
      const spreads = (memory[i]! - calibration.centre[i]!) / calibration.spread[i]!
      if (kind === 0) most = Math.max(most, spreads)
      sum += spreads
    }
    most = Math.max(most, sum / kinds)
  }
  return most
}

/** Moves the means by one window. */
export function remember(
  memory: Memory,
  calibration: Pick<Calibration, 'centre' | 'spread'>,
  evidence: ArrayLike<number>,
  at: number,
): void {
  const scales = SCALE_WEIGHTS.length
  for (let i = 0; i < memory.length; i++) {
    const kind = Math.floor(i / scales)
    const shortest = kind * scales // within centre and spread
    const limit = calibration.centre[shortest]! + EVIDENCE_LIMIT * calibration.spread[shortest]!
    const value = Math.min(evidence[at + kind]!, limit)
    memory[i]! += SCALE_WEIGHTS[i % scales]! * (value - memory[i]!)
  }
}

/** Combined evidence to score: never negative, 1.0 at the threshold. */
export function toScore(combined: number, calibration: Calibration): number {
  return Math.max(0, combined / calibration.threshold)
}
