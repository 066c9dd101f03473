/** How good a trained model is at telling anomalous windows from normal ones. Larger is better. */
import type { CalibratedModel } from '../bootstrap/calibrate.ts'
import type { Prepared } from '../bootstrap/prepare.ts'
import { scoreWindows } from '../bootstrap/profiles.ts'
import { combine, type Memory, startMemory } from '../detect/memory.ts'
import { auroc, averagePrecision } from '../evaluate/metrics.ts'
import { createRandom } from '../model/random.ts'
import { SCORE_ROWS, Scorer, type Scores } from '../model/scorer.ts'
import { EVIDENCE } from '../model/scoring.ts'
import type { PartBlock } from '../windows/store.ts'
import { FAULTS, type Fault, inject, type RawWindows } from './faults.ts'
import { labelledHeldOut } from './held-out.ts'

export type Criterion = 'average-precision' | 'auroc' | 'synthetic'

/** Faulty windows of each fault: so many, or as many as there are windows to put them in. */
const FAULTY_WINDOWS = 200
/** Draws for one faulty window before the fault is given up on as one that this history can't have. */
const DRAWS = 50

/** Windows with one fault each, and the untouched ones that they are ranked against. */
export interface FaultyWindows {
  normal: RawWindows
  faulty: { fault: Fault; windows: RawWindows }[]
}

/** The same faults for every trial: they depend on the windows and the seed alone. */
export function injectFaults(
  normal: RawWindows,
  { schema, scaler }: Pick<Prepared, 'schema' | 'scaler'>,
  seed: number,
): FaultyWindows {
  const d = scaler.features
  const faulty = FAULTS.map((fault, i) => {
    const random = createRandom(seed + i)
    const order = Int32Array.from({ length: normal.rows }, (_, row) => row)
    random.shuffle(order)
    const values = new Float64Array(Math.min(FAULTY_WINDOWS, normal.rows) * d)
    const node: number[] = []
    for (const row of order) {
      if (node.length * d === values.length) break
      const into = values.subarray(node.length * d, (node.length + 1) * d)
      for (let draw = 0; draw < DRAWS; draw++) {
        if (!inject(fault, normal, row, schema, scaler, random, into)) continue
        node.push(normal.node[row]!) // a row of the windows
        break
      }
    }
    const rows = node.length
    return { fault, windows: { rows, values: values.subarray(0, rows * d), node: Int32Array.from(node) } }
  })
  return { normal, faulty: faulty.filter(({ windows }) => windows.rows > 0) }
}

export interface SyntheticFigure {
  fault: Fault
  averagePrecision: number
}

/**
 * Average precision of each fault's windows among the normal ones, by the score that the detector gives a window
 * without a history. Their mean is the criterion.
 */
export async function scoreFaults(
  { normal, faulty }: FaultyWindows,
  { model, calibration }: Pick<CalibratedModel, 'model' | 'calibration'>,
  features: number,
): Promise<SyntheticFigure[]> {
  const scorer = await Scorer.create(model, features)
  try {
    const combined = async (windows: RawWindows): Promise<Float64Array> => {
      const out = new Float64Array(windows.rows)
      for (let first = 0; first < windows.rows; first += SCORE_ROWS) {
        const n = Math.min(SCORE_ROWS, windows.rows - first)
        const values = windows.values.subarray(first * features, (first + n) * features)
        const node = windows.node.subarray(first, first + n).map((index) => index + 1)
        const { evidence } = await scorer.score(values, node, n)
        for (let i = 0; i < n; i++) {
          out[first + i] = combine(startMemory(calibration), calibration, evidence, i * EVIDENCE.length)
        }
      }
      return out
    }
    const ofNormal = await combined(normal)
    const figures: SyntheticFigure[] = []
    for (const { fault, windows } of faulty) {
      const ofFaulty = await combined(windows)
      const scores = Float64Array.of(...ofNormal, ...ofFaulty)
      const labels = new Int8Array(scores.length).fill(1, ofNormal.length)
      figures.push({ fault, averagePrecision: averagePrecision(scores, labels) ?? 0 })
    }
    return figures
  } finally {
    await scorer.release()
  }
}

/** By labels: over all windows in order of time, with the memory of each node, as the daemon scores them. */
export async function scoreLabelled(
  prepared: Pick<Prepared, 'store' | 'selection'>,
  { model, calibration }: Pick<CalibratedModel, 'model' | 'calibration'>,
  by: 'average-precision' | 'auroc',
  signal?: AbortSignal,
): Promise<number | null> {
  const scorer = await Scorer.create(model, prepared.store.features)
  try {
    const scores: number[] = []
    const labels: number[] = []
    const memories = new Map<number, Memory>()
    const visit = ({ evidence }: Scores, block: PartBlock): void => {
      for (let i = 0; i < block.rows; i++) {
        const node = block.node[i]! // i < rows
        const memory = memories.get(node) ?? startMemory(calibration)
        memories.set(node, memory)
        scores.push(combine(memory, calibration, evidence, i * EVIDENCE.length))
        labels.push(block.label[i]!) // i < rows
      }
    }
    await scoreWindows(labelledHeldOut(prepared), scorer, visit, signal)
    const judged = [Float64Array.from(scores), Int8Array.from(labels)] as const
    return by === 'auroc' ? auroc(...judged) : averagePrecision(...judged)
  } finally {
    await scorer.release()
  }
}
