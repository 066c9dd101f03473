/** Runs jobs in processes, several at a time within a limit of memory. */
import type { Bytes } from '../config/size.ts'

export interface Running<R> {
  /** Resident memory as last measured. */
  resident(): Bytes
  /** Resolves also for a job that failed; rejects only where going on makes no sense. */
  done: Promise<R>
  stop(): void
}

export interface Limits {
  /** Jobs at a time. */
  parallel: number
  memory: Bytes
}

/**
 * Runs all jobs in order of the list and returns their results in that order. The next one is started when fewer
 * than `parallel` run and what the running ones take (measured or expected, whichever is more) together with what
 * the next one is expected to need stays within `memory`; a single job always may run. An abort stops all and
 * rejects with the signal's reason.
 */
export async function runJobs<J, R>(
  jobs: readonly J[],
  { parallel, memory }: Limits,
  expected: (job: J) => Bytes,
  start: (job: J) => Running<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const running = new Map<number, { job: J; process: Running<R>; ended: Promise<number> }>()
  const results: R[] = []
  const stopAll = (): void => {
    for (const { process } of running.values()) process.stop()
  }
  signal?.addEventListener('abort', stopAll)
  try {
    let next = 0
    while (next < jobs.length || running.size > 0) {
      signal?.throwIfAborted()
      const job = jobs[next]
      if (job !== undefined && running.size < parallel && (running.size === 0 || fits(job))) {
        const at = next++
        const process = start(job)
        const ended = process.done.then((result) => {
          results[at] = result
          return at
        })
        // Awaited below, perhaps after another one has rejected.
        ended.catch(() => {})
        running.set(at, { job, process, ended })
        continue
      }
      running.delete(await Promise.race([...running.values()].map(({ ended }) => ended)))
    }
    return results
  } finally {
    signal?.removeEventListener('abort', stopAll)
    stopAll()
    await Promise.allSettled([...running.values()].map(({ ended }) => ended))
  }

  function fits(job: J): boolean {
    let taken = 0
    for (const { job: other, process } of running.values()) {
      taken += Math.max(process.resident(), expected(other))
    }
    return taken + expected(job) <= memory
  }
}
