import { type Catalogue, poolSensors } from '../examon/catalogue.ts'
import { BOOT_SENSOR } from '../examon/sample.ts'
import type { History } from '../history/types.ts'
import { ModelError } from '../model/errors.ts'
import { defaultTransforms, type FeatureSchema } from '../windows/schema.ts'
import type { WindowOptions } from './presets.ts'

/**
 * The features that this history can feed. Files that hold finished windows fix statistics, ddof and length; samples
 * leave them to the options. Sample counts are learned later.
 */
export function chooseFeatures(
  history: History,
  catalogue: Catalogue | null,
  options: WindowOptions,
): FeatureSchema {
  const { fixed } = history
  const metrics = chooseMetrics(history, catalogue, options)
  const statistics = fixed?.statistics ?? options.statistics
  const lengthSeconds = fixed?.lengthSeconds ?? options.lengthSeconds
  return {
    lengthSeconds,
    everySeconds: fixed === null ? options.everySeconds : lengthSeconds,
    statistics,
    ddof: fixed?.ddof ?? options.ddof,
    metrics: metrics.map((metric) => ({ ...metric, expectedSamples: null })),
    transforms: options.logSpread
      ? defaultTransforms({ metrics: metrics.map((m) => ({ ...m, expectedSamples: null })), statistics })
      : metrics.flatMap(() => statistics.map(() => 'none' as const)),
  }
}

/**
 * By the catalogue where there is one; finished windows can't be pooled and are taken one by one. The boot time is
 * left out of the default features: after each reboot it has a value never seen before.
 */
function chooseMetrics(
  history: History,
  catalogue: Catalogue | null,
  options: WindowOptions,
): { name: string; sensors: string[] }[] {
  if (!options.useCatalogue) return history.sensors.map((name) => ({ name, sensors: [name] }))
  const usable = history.sensors.filter((sensor) => sensor !== BOOT_SENSOR)
  if (catalogue === null || history.fixed !== null) {
    return usable.map((name) => ({ name, sensors: [name] }))
  }
  const metrics = poolSensors(catalogue, usable)
  if (metrics.length === 0) {
    throw new ModelError(
      'too_little_data',
      `the catalogue of ${catalogue.site} names none of the ${history.sensors.length} metrics of the history (${history.sensors.slice(0, 5).join(', ')} …); use the site's own catalogue or none`,
    )
  }
  return metrics
}
