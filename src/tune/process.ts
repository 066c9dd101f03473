/** A trial in a process of its own: what it takes of memory is measured, and what ends it leaves the search alone. */
import { fork } from 'node:child_process'
import { extname, join } from 'node:path'
import type { TrainingConfig } from '../config/schema.ts'
import type { Bytes } from '../config/size.ts'
import type { Criterion } from './criterion.ts'
import type { Running } from './pool.ts'
import type { Judged, Trial, TrialResult } from './trial.ts'

/** What the process is told, once. */
export interface Order {
  /** Directory of the prepared windows. */
  prepared: string
  training: TrainingConfig
  share: number
  criterion: Criterion
  faultSeed: number
  threads: number
}

/** What the process tells. */
export type Message = { resident: number } | { judged: Judged } | { failed: string }

/** This file's own ending: sources in a clone, compiled files in a package. */
const WORKER = join(import.meta.dirname, `worker${extname(import.meta.filename)}`)
/** Last characters of standard error that a failure quotes. */
const QUOTED = 400

/** `expectedBytes` goes into the result, beside what was measured. */
export function startTrial(trial: Trial, order: Order, expectedBytes: Bytes): Running<TrialResult> {
  const started = performance.now()
  const child = fork(WORKER, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] })
  let resident = 0
  let peakBytes = 0
  let judged: Judged | null = null
  let failed: string | null = null
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-QUOTED)
  })
  child.on('message', (message: Message) => {
    if ('resident' in message) {
      resident = message.resident
      peakBytes = Math.max(peakBytes, resident)
    } else if ('judged' in message) judged = message.judged
    else failed = message.failed
  })
  const done = new Promise<TrialResult>((resolve) => {
    const end = (why: string): void =>
      resolve({
        ...trial,
        criterion: judged?.criterion ?? null,
        loss: judged?.loss ?? null,
        seconds: (performance.now() - started) / 1000,
        peakBytes,
        expectedBytes,
        failed: judged === null ? (failed ?? why) : null,
        died: judged === null && failed === null,
      })
    child.on('error', (error) => end(`its process could not be started: ${error.message}`))
    child.on('close', (code, signal) => {
      const how = signal === null ? `with status ${code}` : `by ${signal}`
      end(`its process ended ${how}${complaint === '' ? '' : `: ${complaint.trim()}`}`)
    })
  })
  // A child that could not be started closes the channel; its end is told above.
  child.send(order, () => {})
  return { resident: () => resident, done, stop: () => child.kill('SIGKILL') }
}
