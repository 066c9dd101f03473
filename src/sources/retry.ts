import { setTimeout as sleep } from 'node:timers/promises'

/** Waits between attempts, ms: doubling from the first to the last. */
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 10_000

/** Attempts until one succeeds, telling of each that fails; false when the signal aborted before that. The first is made in any case. */
export async function retry(
  attempt: () => Promise<void>,
  onFailure: (error: unknown) => void,
  signal: AbortSignal,
): Promise<boolean> {
  for (let wait = FIRST_RETRY_MS; ; wait = Math.min(2 * wait, LAST_RETRY_MS)) {
    try {
      await attempt()
      return true
    } catch (error) {
      onFailure(error)
    }
    await sleep(wait, undefined, { signal }).catch(() => {}) // an abort ends the wait
    if (signal.aborted) return false
  }
}
