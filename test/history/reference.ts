/** Windows computed the straightforward way, for comparison. */

import type { WindowRequest } from '../../src/history/types.ts'
import type { Statistic } from '../../src/windows/schema.ts'
import type { Row } from './parquet.ts'

export interface Sample {
  node: string
  timeMs: number
  values: Record<string, number | null>
  label: number | null
}

export function referenceWindows(samples: readonly Sample[], request: WindowRequest): Row[] {
  const [length, every] = [request.lengthSeconds * 1000, request.everySeconds * 1000]
  const found: Row[] = []
  const times = samples.map((sample) => sample.timeMs)
  const first = Math.floor((Math.min(...times) - length) / every) * every
  for (let start = first; start <= Math.max(...times); start += every) {
    for (const node of [...new Set(samples.map((sample) => sample.node))].sort()) {
      const inside = samples.filter((s) => s.node === node && s.timeMs >= start && s.timeMs < start + length)
      const pools = request.metrics.map((metric) =>
        inside.flatMap(
          (s) => metric.sensors.map((name) => s.values[name]).filter((v) => Number.isFinite(v)) as number[],
        ),
      )
      if (pools.every((pool) => pool.length === 0)) continue
      found.push({
        node,
        start: new Date(start).toISOString(),
        label: Math.max(-1, ...inside.map((s) => s.label ?? -1)),
        values: pools.flatMap((pool) => request.statistics.map((s) => statistic(pool, s, request.ddof))),
        counts: pools.map((pool) => pool.length),
      })
    }
  }
  return found
}

function statistic(values: readonly number[], name: Statistic, ddof: number): number {
  if (values.length === 0) return Number.NaN
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0)
  const variance = values.length > ddof ? squares / (values.length - ddof) : 0
  switch (name) {
    case 'avg':
      return mean
    case 'var':
      return variance
    case 'std':
      return Math.sqrt(variance)
    case 'max':
      return Math.max(...values)
    case 'min':
      return Math.min(...values)
  }
}
