import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { env } from '../model/runtime.ts'

/** What figures of speed depend on beside the code. */
export interface Machine {
  cpu: string
  /** Cores that this process may use. */
  cores: number
  memoryGiB: number
  node: string
  onnxruntime: string
  /** ISO 8601, UTC. */
  date: string
  /** Processes that wanted a core over the last minute, before the measurement; near 0 on a quiet machine. */
  load: number
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    onnxruntime: env.versions.node ?? 'unknown',
    date: new Date().toISOString(),
    load: loadavg()[0] ?? Number.NaN,
  }
}
