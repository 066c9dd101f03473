/**
 * The feature schema: which statistics of which metrics make the vector of one window. It is made once, by
 * `bootstrap`, stored in the bundle, and used unchanged by history, stream and scoring.
 */

/** One statistic of the samples of one metric in one window. `var` and `std` follow the schema's `ddof`. */
export const STATISTICS = ['avg', 'var', 'std', 'max', 'min'] as const
export type Statistic = (typeof STATISTICS)[number]

/** What happens to a feature before min-max scaling. `log1p` tames the decades that variances span. */
export type Transform = 'none' | 'log1p'

/** A metric of the model. Several sensors are pooled: the statistics run over all samples of all of them. */
export interface Metric {
  name: string
  /** Metric names on the wire or columns in the history, at least one; `[name]` where nothing is pooled. */
  sensors: string[]
  /**
   * Samples of this metric (all sensors together) in a well covered window, or null where the history holds
   * only finished windows. Learned by `bootstrap` as the median over the training windows.
   */
  expectedSamples: number | null
}

export interface FeatureSchema {
  /** Length of a window, seconds. */
  lengthSeconds: number
  /** Distance between window starts, seconds; shorter than the length gives overlapping windows. */
  everySeconds: number
  /** Statistics in the order of the features of one metric. */
  statistics: Statistic[]
  /** Delta degrees of freedom of `var` and `std`: 1 sample variance (the report), 0 population (public tables). */
  ddof: 0 | 1
  metrics: Metric[]
  /** One entry a feature, in feature order. */
  transforms: Transform[]
}

/** Number of features d: metrics × statistics. */
export function featureCount(schema: Pick<FeatureSchema, 'metrics' | 'statistics'>): number {
  return schema.metrics.length * schema.statistics.length
}

/** Feature names in feature order (metric-major), in the one internal form: `avg:ambient`. */
export function featureNames(schema: Pick<FeatureSchema, 'metrics' | 'statistics'>): string[] {
  return schema.metrics.flatMap((metric) => schema.statistics.map((s) => `${s}:${metric.name}`))
}

/** Variances and deviations span decades and get log1p; other statistics are taken as they are. */
export function defaultTransforms(schema: Pick<FeatureSchema, 'metrics' | 'statistics'>): Transform[] {
  return schema.metrics.flatMap(() =>
    schema.statistics.map((s): Transform => (s === 'var' || s === 'std' ? 'log1p' : 'none')),
  )
}

export function hasLog(transforms: readonly Transform[]): boolean {
  return transforms.includes('log1p')
}
