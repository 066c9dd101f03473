import type { AlarmRecord, AlarmState } from '../detect/records.ts'
import type { WindowBlock } from '../windows/block.ts'

/**
 * Detection event by event: was it found, how late, and how often did a node alarm for nothing.
 * Times are ms since the epoch, UTC; delays are seconds.
 */

const SECONDS_A_WEEK = 7 * 86_400

/** A stretch of time in which a node is anomalous: a fault. */
export interface LabelledEvent {
  /** Index into the owner's list of node names. */
  node: number
  startMs: number
  endMs: number
}

/** Windows of any order with their scores (NaN where a window was not scored). */
export interface ScoredWindows extends Pick<WindowBlock, 'rows' | 'node' | 'start' | 'label'> {
  score: Float64Array
}

/**
 * Events from labels: per node, runs of windows labelled anomalous, from the start of the first to the end of the last. Two
 * anomalous windows belong together when at most one window length lies between the end of one and the start of the next,
 * whatever is or is not in between. Sorted by (node, start).
 */
export function labelledEvents(
  windows: Pick<WindowBlock, 'rows' | 'node' | 'start' | 'label'>,
  lengthSeconds: number,
): LabelledEvent[] {
  const lengthMs = lengthSeconds * 1000
  const anomalous: { node: number; startMs: number }[] = []
  for (let row = 0; row < windows.rows; row++) {
    if (windows.label[row] !== 1) continue
    anomalous.push({ node: at(windows.node, row), startMs: at(windows.start, row) })
  }
  anomalous.sort((a, b) => a.node - b.node || a.startMs - b.startMs)
  const events: LabelledEvent[] = []
  for (const { node, startMs } of anomalous) {
    const last = events.at(-1)
    if (last?.node === node && startMs - last.endMs <= lengthMs) last.endMs = startMs + lengthMs
    else events.push({ node, startMs, endMs: startMs + lengthMs })
  }
  return events
}

export interface Detection {
  event: LabelledEvent
  /** From the start of the event to the end of the first flagged window (or to the first alarm); null when missed. */
  delaySeconds: number | null
}

/**
 * Which events are found at a threshold (score ≥ threshold). An event is found by a flagged window of its node that overlaps it and is not
 * labelled normal; nothing is credited to the other windows of the event.
 */
export function detectEvents(
  events: LabelledEvent[],
  windows: ScoredWindows,
  threshold: number,
  lengthSeconds: number,
): Detection[] {
  const lengthMs = lengthSeconds * 1000
  const flagged = new Map<number, number[]>()
  for (let row = 0; row < windows.rows; row++) {
    if (windows.label[row] === 0 || !(at(windows.score, row) >= threshold)) continue
    const node = at(windows.node, row)
    const starts = flagged.get(node)
    if (starts) starts.push(at(windows.start, row))
    else flagged.set(node, [at(windows.start, row)])
  }
  return events.map((event) => {
    let first = Infinity
    for (const startMs of flagged.get(event.node) ?? []) {
      if (startMs < event.endMs && startMs + lengthMs > event.startMs) first = Math.min(first, startMs)
    }
    return { event, delaySeconds: first === Infinity ? null : (first + lengthMs - event.startMs) / 1000 }
  })
}

/** A stretch of time in which a node was in alarm. */
export interface AlarmEpisode {
  node: number
  /** When the evidence began: the node entered `pending`, or the alarm itself where it was raised at once. */
  evidenceMs: number
  raisedMs: number
  /** Infinity while the alarm stands. */
  clearedMs: number
}

/**
 * Alarm episodes from alarm records in time order: from the change into one of `states` to the change out of them. Throws when a
 * record names a node that is not in `nodes`.
 */
export function alarmEpisodes(
  alarms: Iterable<AlarmRecord>,
  nodes: string[],
  states: readonly AlarmState[] = ['anomalous'],
): AlarmEpisode[] {
  const index = new Map(nodes.map((name, i) => [name, i]))
  const open = new Map<number, AlarmEpisode>()
  const episodes: AlarmEpisode[] = []
  for (const alarm of alarms) {
    const node = index.get(alarm.node)
    if (node === undefined) throw new RangeError(`alarm of node "${alarm.node}", which is not in the history`)
    const standing = open.get(node)
    if (states.includes(alarm.to)) {
      if (standing) continue
      const raisedMs = Date.parse(alarm.at)
      const evidenceMs = alarm.from === 'pending' ? Date.parse(alarm.since) : raisedMs
      const episode = { node, evidenceMs, raisedMs, clearedMs: Infinity }
      episodes.push(episode)
      open.set(node, episode)
    } else if (standing) {
      standing.clearedMs = Date.parse(alarm.at)
      open.delete(node)
    }
  }
  return episodes
}

export interface AlarmMatch {
  /** One an event, in the order of the events; the delay is that of the first alarm that matches it. */
  detections: Detection[]
  falseAlarms: AlarmEpisode[]
}

/**
 * Matches alarms with events of the same node. They belong together when the event, prolonged by one window length (the window in
 * which it ended closes after it), overlaps the time from the evidence to the clearing; an alarm without an event is false. An
 * alarm that already stood when the event began has delay 0.
 */
export function matchAlarms(
  events: LabelledEvent[],
  episodes: AlarmEpisode[],
  lengthSeconds: number,
): AlarmMatch {
  const lengthMs = lengthSeconds * 1000
  const first = new Map<LabelledEvent, number>()
  const falseAlarms: AlarmEpisode[] = []
  for (const episode of episodes) {
    const matches = events.filter(
      (event) =>
        event.node === episode.node &&
        episode.evidenceMs <= event.endMs + lengthMs &&
        episode.clearedMs > event.startMs,
    )
    if (matches.length === 0) falseAlarms.push(episode)
    for (const event of matches) {
      first.set(event, Math.min(first.get(event) ?? Infinity, episode.raisedMs))
    }
  }
  const detections = events.map((event) => {
    const raisedMs = first.get(event)
    return {
      event,
      delaySeconds: raisedMs === undefined ? null : Math.max(0, raisedMs - event.startMs) / 1000,
    }
  })
  return { detections, falseAlarms }
}

/** Alarms per node and week. `windowCount`: windows of all nodes that the alarms come from, `everySeconds` apart. */
export function perNodeWeek(alarmCount: number, windowCount: number, everySeconds: number): number | null {
  const nodeWeeks = (windowCount * everySeconds) / SECONDS_A_WEEK
  return nodeWeeks > 0 ? alarmCount / nodeWeeks : null
}

function at(array: Int32Array | Float64Array, row: number): number {
  const value = array[row]
  if (value === undefined)
    throw new RangeError(`row ${row} is outside of an array of ${array.length} entries`)
  return value
}
