import type { Sink } from '../sinks/sink.ts'
import { retry } from '../sources/retry.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { Emission } from './pipeline.ts'

/** Writes to every sink, trying again until each has it; false when the signal aborted before that. */
export async function writeToSinks(
  sinks: readonly Sink[],
  { flags, alarms }: Emission,
  telemetry: Telemetry,
  signal: AbortSignal,
): Promise<boolean> {
  for (const sink of sinks) {
    let isFirst = true
    const isWritten = await retry(
      async () => {
        const started = performance.now()
        await sink.write(flags, alarms)
        telemetry.sinkWrote(sink.kind, flags.length, alarms.length, (performance.now() - started) / 1000)
        if (!isFirst) telemetry.ready()
      },
      (error) => {
        isFirst = false
        telemetry.sinkFailed(sink.kind, error)
        telemetry.notReady(`sink ${sink.kind} does not take flags`)
      },
      signal,
    )
    // The flags are made again from the samples by the next start.
    if (!isWritten) return false
  }
  return true
}
