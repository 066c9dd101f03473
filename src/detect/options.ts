import type { DetectConfig } from '../config/schema.ts'
import type { DetectorOptions } from './detector.ts'

/** The section `detect` of the configuration. */
export function detectorOptions(config: DetectConfig): DetectorOptions {
  const { min_coverage, dwell, clear, warmup, top } = config
  return { minCoverage: min_coverage, dwell, clear, warmup, top }
}
