/**
 * Detection metrics on scores and labels, window by window, without point adjustment (which counts a whole event as
 * found when one of its windows is, and lets random scores look good).
 *
 * A window is left out when its label is -1 (not known) or its score is NaN (not scored, for want of coverage). A window is flagged
 * when score ≥ threshold.
 */

const SECONDS_A_DAY = 86_400

/** Known scores of each class, ascending. Sorted apart, because native sorts of numbers need no comparator. */
export interface Classes {
  anomalous: Float64Array
  normal: Float64Array
}

export function splitByLabel(scores: Float64Array, labels: Int8Array): Classes {
  if (scores.length !== labels.length) {
    throw new RangeError(`${scores.length} scores, but ${labels.length} labels`)
  }
  const anomalous = new Float64Array(scores.length)
  const normal = new Float64Array(scores.length)
  let anomalousCount = 0
  let normalCount = 0
  for (const [i, score] of scores.entries()) {
    const label = labels[i]
    if (label !== 1 && label !== 0 && label !== -1) {
      throw new RangeError(
        `label ${label} in row ${i}: labels are 1 (anomalous), 0 (normal) and -1 (not known)`,
      )
    }
    if (Number.isNaN(score) || label === -1) continue
    if (label === 1) anomalous[anomalousCount++] = score
    else normal[normalCount++] = score
  }
  return {
    anomalous: anomalous.subarray(0, anomalousCount).sort(),
    normal: normal.subarray(0, normalCount).sort(),
  }
}

/**
 * Visits every distinct score from the highest down, with the number of anomalous (hits) and normal (false) windows that
 * are flagged when it is the threshold. Equal scores are taken together, so that ties do not depend on row order.
 */
export function descend(
  { anomalous, normal }: Classes,
  visit: (threshold: number, hits: number, falseFlags: number) => void,
): void {
  let a = anomalous.length
  let n = normal.length
  while (a > 0 || n > 0) {
    const threshold = Math.max(anomalous[a - 1] ?? -Infinity, normal[n - 1] ?? -Infinity)
    while (a > 0 && anomalous[a - 1] === threshold) a--
    while (n > 0 && normal[n - 1] === threshold) n--
    visit(threshold, anomalous.length - a, normal.length - n)
  }
}

/**
 * Area under the ROC curve: the chance that an anomalous window scores above a normal one, ties counted half
 * (the Mann–Whitney statistic). Null when either class is absent.
 */
export function auroc(scores: Float64Array, labels: Int8Array): number | null {
  const classes = splitByLabel(scores, labels)
  const pairs = classes.anomalous.length * classes.normal.length
  if (pairs === 0) return null
  let doubleArea = 0
  let lastHits = 0
  let lastFalse = 0
  descend(classes, (_threshold, hits, falseFlags) => {
    doubleArea += (falseFlags - lastFalse) * (hits + lastHits)
    lastHits = hits
    lastFalse = falseFlags
  })
  return doubleArea / (2 * pairs)
}

/**
 * Average precision: Σ (Rₙ − Rₙ₋₁) Pₙ over the distinct scores from the highest down, the step-wise sum without
 * interpolation of scikit-learn's `average_precision_score`. Null when no window is anomalous.
 */
export function averagePrecision(scores: Float64Array, labels: Int8Array): number | null {
  const classes = splitByLabel(scores, labels)
  const total = classes.anomalous.length
  if (total === 0) return null
  let sum = 0
  let lastHits = 0
  descend(classes, (_threshold, hits, falseFlags) => {
    sum += (hits - lastHits) * (hits / (hits + falseFlags))
    lastHits = hits
  })
  return sum / total
}

export interface BestF1 {
  f1: number
  /** The highest of the thresholds that reach this F1. */
  threshold: number
  precision: number
  recall: number
}

/**
 * The best F1 over all thresholds. It is chosen on the labels themselves, so it bounds what a threshold can reach and is no
 * operating point. Null when no window is anomalous.
 */
export function bestF1(scores: Float64Array, labels: Int8Array): BestF1 | null {
  const classes = splitByLabel(scores, labels)
  const total = classes.anomalous.length
  if (total === 0) return null
  let best: BestF1 = { f1: -1, threshold: Infinity, precision: 0, recall: 0 }
  descend(classes, (threshold, hits, falseFlags) => {
    const flagged = hits + falseFlags
    const f1 = (2 * hits) / (flagged + total)
    if (f1 > best.f1) best = { f1, threshold, precision: hits / flagged, recall: hits / total }
  })
  return best
}

export interface OperatingPoint {
  /** Share of the flagged windows that are anomalous; null when none is flagged. */
  precision: number | null
  /** Share of the anomalous windows that are flagged; null when none is anomalous. */
  recall: number | null
  /** Normal windows that are flagged. */
  falseFlags: number
  /** False flags in a day of normal windows of one node; null when no window is normal. */
  falseFlagsPerDay: number | null
}

/** What a given threshold does. `everySeconds`: distance between the window starts of a node. */
export function atThreshold(
  scores: Float64Array,
  labels: Int8Array,
  threshold: number,
  everySeconds: number,
): OperatingPoint {
  const { anomalous, normal } = splitByLabel(scores, labels)
  const hits = countFlagged(anomalous, threshold)
  const falseFlags = countFlagged(normal, threshold)
  const normalDays = (normal.length * everySeconds) / SECONDS_A_DAY
  return {
    precision: hits + falseFlags > 0 ? hits / (hits + falseFlags) : null,
    recall: anomalous.length > 0 ? hits / anomalous.length : null,
    falseFlags,
    falseFlagsPerDay: normalDays > 0 ? falseFlags / normalDays : null,
  }
}

function countFlagged(scores: Float64Array, threshold: number): number {
  let count = 0
  for (const score of scores) if (score >= threshold) count++
  return count
}
