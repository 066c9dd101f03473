import { calibrate } from '../detect/calibrate.ts'
import { type Calibration, combine, type Memory, startMemory, toScore } from '../detect/memory.ts'
import type { Baseline } from './baselines/baseline.ts'
import type { FittingWindows } from './fitting.ts'

/** A baseline with both ways of judging, each calibrated on the model's own calibration windows; 1.0 is the threshold. */
export interface Rival {
  baseline: Baseline
  /** By the single window. */
  single(value: number): number
  /** With the model's memory over the windows of a node, which must come in the order of time. */
  remembered(node: number, value: number): number
}

/** How the variant with memory is called beside the plain one. */
export const WITH_MEMORY = ' + memory'

/** Keeps logarithms finite and thresholds positive for a baseline whose score can be 0. */
const LOG_FLOOR = 1e-9

/** Calibrates a baseline for `falseFlagRate`, the share of normal windows that the model's threshold aims at. */
export async function calibrateRival(
  baseline: Baseline,
  { rows, node }: FittingWindows['calibration'],
  falseFlagRate: number,
): Promise<Rival> {
  const raw = await baseline.score(rows, node.length)
  const evidence = raw.map((value) => Math.log(value + LOG_FLOOR))
  // The single window's threshold is empirical: the quantile that the model's rate asks for.
  const sorted = raw.toSorted()
  const quantile = Math.floor((1 - falseFlagRate) * (node.length - 1))
  const limit = Math.max(sorted[quantile] ?? 0, LOG_FLOOR)
  return {
    baseline,
    single: (value) => value / limit,
    remembered: withMemory(calibrate({ rows: node.length, node, evidence }, falseFlagRate)),
  }
}

function withMemory(calibration: Calibration): Rival['remembered'] {
  const memories = new Map<number, Memory>()
  return (node, value) => {
    let memory = memories.get(node)
    if (memory === undefined) {
      memory = startMemory(calibration)
      memories.set(node, memory)
    }
    return toScore(combine(memory, calibration, [Math.log(value + LOG_FLOOR)], 0), calibration)
  }
}
