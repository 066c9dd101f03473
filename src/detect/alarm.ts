/**
 * The alarm state of a node: what one window's score can't tell, how long it has been so. A pure step over plain
 * data, so that a restart goes on where the last checkpoint stood.
 */
import type { AlarmState } from './records.ts'

export interface AlarmOptions {
  /**
   * So many windows in a row at or over the threshold make a node anomalous; so many that can't be scored make it
   * insufficient or silent (a reboot or a lost read of minutes is no news).
   */
  dwell: number
  /** So many in a row under it make it normal again. */
  clear: number
  /** So many windows after first sight or a reboot raise no alarm. */
  warmup: number
}

export interface AlarmMemory {
  state: AlarmState
  /** End of the window that brought the state, ms. */
  sinceMs: number
  /** Windows in a row over the threshold, and under it. */
  over: number
  under: number
  /** Windows in a row that could not be scored. */
  unscored: number
  /** Warm-up windows still to come. */
  warmup: number
}

/** What a window says of its node. */
export interface Observation {
  /** `scored`, or why not: `insufficient` coverage, `silent` without any sample. */
  kind: 'scored' | 'insufficient' | 'silent'
  /** Score at or over 1. */
  anomalous: boolean
  /** Drained or in maintenance at the window's end. */
  muted: boolean
  /** Booted within the window. */
  rebooted: boolean
}

export function startAlarm(options: AlarmOptions, atMs: number): AlarmMemory {
  return {
    state: options.warmup > 0 ? 'learning' : 'normal',
    sinceMs: atMs,
    over: 0,
    under: 0,
    unscored: 0,
    warmup: options.warmup,
  }
}

/** The memory after a window that ends at `endMs`; the argument is left as it was. */
export function stepAlarm(
  memory: AlarmMemory,
  observation: Observation,
  options: AlarmOptions,
  endMs: number,
): AlarmMemory {
  const next = { ...memory }
  if (observation.rebooted) next.warmup = options.warmup
  if (observation.kind === 'scored') {
    next.over = observation.anomalous ? memory.over + 1 : 0
    next.under = observation.anomalous ? 0 : memory.under + 1
    if (next.warmup > 0 && !observation.rebooted) next.warmup--
  }
  next.unscored = observation.kind === 'scored' ? 0 : memory.unscored + 1
  const state = decide(memory, next, observation, options)
  if (state !== memory.state) {
    next.state = state
    next.sinceMs = endMs
  }
  return next
}

function decide(
  before: AlarmMemory,
  now: AlarmMemory,
  observation: Observation,
  options: AlarmOptions,
): AlarmState {
  if (observation.muted) return 'muted'
  if (observation.kind !== 'scored') {
    // What ended the mute is not known to be any earlier state.
    return now.unscored >= options.dwell || before.state === 'muted' ? observation.kind : before.state
  }
  // The window that ends the warm-up still belongs to it.
  if (before.warmup > 0 || now.warmup > 0) return 'learning'
  if (before.state === 'anomalous') return now.under >= options.clear ? 'normal' : 'anomalous'
  if (!observation.anomalous) return 'normal'
  return now.over >= options.dwell ? 'anomalous' : 'pending'
}
