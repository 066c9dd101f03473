import type { Bundle } from '../model/bundle.ts'
import { featureCount } from '../windows/schema.ts'
import type { FittingWindows } from './rivals.ts'

/** The windows that a bundle keeps for comparisons: at most 2048 training windows and as many calibration windows. */
export function bundledWindows(bundle: Bundle): FittingWindows {
  const { schema, reference } = bundle.manifest
  const features = featureCount(schema)
  return {
    features,
    train: bundle.reference.subarray(0, reference.train * features),
    calibration: {
      rows: bundle.reference.subarray(reference.train * features),
      node: Int32Array.from(reference.calibration.flatMap(([n, count]) => Array<number>(count).fill(n))),
    },
  }
}
