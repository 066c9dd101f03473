/** Times of several pieces of work, taken in turns, so that a change of the machine's state meets all of them. */

export interface Task {
  /** FLOP of one run. */
  flop: number
  run(): Promise<unknown>
}

export interface Times {
  /** Median and shortest time of a run, ms. */
  median: number
  fastest: number
  runs: number
}

/** Length of a task's turn, ms; at least MIN_RUNS runs are timed. */
const TURN_MS = 150
const MIN_RUNS = 2

/**
 * Gives every task a turn in each of `rounds` rounds, in alternating order. The first run of a turn is not timed: it
 * fills the caches, and the threads of the task before may still be waiting for work in a busy loop.
 */
export async function measure<T extends Task>(
  tasks: readonly T[],
  rounds: number,
  signal: AbortSignal,
  onRound: (round: number) => void,
): Promise<Map<T, Times>> {
  const times = new Map(tasks.map((task) => [task, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const [task, runs] of round % 2 === 0 ? times : [...times].reverse()) {
      signal.throwIfAborted()
      await task.run()
      const end = performance.now() + TURN_MS
      for (let run = 0; run < MIN_RUNS || performance.now() < end; run++) {
        const start = performance.now()
        await task.run()
        runs.push(performance.now() - start)
      }
    }
    onRound(round + 1)
  }
  return new Map([...times].map(([task, runs]) => [task, summary(runs)]))
}

function summary(runs: readonly number[]): Times {
  const sorted = Float64Array.from(runs).sort()
  return {
    median: sorted[sorted.length >> 1] ?? Number.NaN,
    fastest: sorted[0] ?? Number.NaN,
    runs: runs.length,
  }
}
