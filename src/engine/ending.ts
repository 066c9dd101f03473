/** How a long-running verb ends in time, whatever it waits for. */
import { errorText } from '../telemetry/logger.ts'

/** How long a turn under way may go on after the signal, ms: one that writes to a broker that is away would never end. */
export const TURN_MS = 4000
/** Closing that takes longer than this is cut short, ms; both together stay below ten seconds. */
const CLOSE_MS = 4000

/** Resolves some time after the signal. */
export function aborted(signal: AbortSignal, afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    const later = (): void => {
      setTimeout(resolve, afterMs).unref()
    }
    if (signal.aborted) later()
    else signal.addEventListener('abort', later, { once: true })
  })
}

export async function withDeadline(closing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS)
  })
  try {
    await Promise.race([closing, deadline])
  } catch (error) {
    process.stderr.write(`while closing: ${errorText(error)}\n`)
  } finally {
    clearTimeout(timer)
  }
}
