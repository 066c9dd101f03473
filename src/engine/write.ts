import { setTimeout as sleep } from 'node:timers/promises'
import type { Sink } from '../sinks/sink.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { Emission } from './pipeline.ts'

/** Waits between attempts to write to a sink that fails, ms: doubling from the first to the last. */
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 10_000

/** Writes to every sink, trying again until each has it; false when the signal aborted before that. */
export async function writeToSinks(
  sinks: readonly Sink[],
  { flags, alarms }: Emission,
  telemetry: Telemetry,
  signal: AbortSignal,
): Promise<boolean> {
  for (const sink of sinks) {
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(2 * wait, LAST_RETRY_MS)) {
      const started = performance.now()
      try {
        await sink.write(flags, alarms)
        telemetry.sinkWrote(sink.kind, flags.length, alarms.length, (performance.now() - started) / 1000)
        if (wait > FIRST_RETRY_MS) telemetry.ready()
        break
      } catch (error) {
        telemetry.sinkFailed(sink.kind, error)
        telemetry.notReady(`sink ${sink.kind} does not take flags`)
      }
      // An abort ends the wait; the flags are made again from the samples by the next start.
      await sleep(wait, undefined, { signal }).catch(() => {})
      if (signal.aborted) return false
    }
  }
  return true
}
