import type { AlarmRecord, AlarmState, FlagRecord } from '../../src/detect/records.ts'
import type { Telemetry } from '../../src/telemetry/telemetry.ts'

/** End of the last window of the fed machine. */
export const LAST_END_MS = Date.UTC(2022, 2, 14, 12)
const EVERY_MS = 15 * 60_000

export const nodeName = (i: number, perRack = 20): string =>
  `r${200 + Math.floor(i / perRack)}n${String((i % perRack) + 1).padStart(2, '0')}`

/** A flag as the daemon would write it. */
export function flagOf(
  node: string,
  endMs: number,
  score: number | null,
  state: AlarmState,
  rack: string | null = /^r\d+/.exec(node)?.[0] ?? null,
): FlagRecord {
  const names = ['gpu0_core_temp', 'fan1_0', 'p0_power', 'ambient', 'load_one']
  return {
    kind: 'flag',
    v: 1,
    node,
    rack,
    window_start: new Date(endMs - EVERY_MS).toISOString(),
    window_end: new Date(endMs).toISOString(),
    score,
    p: score === null ? null : Math.min(1, 0.01 / Math.max(0.001, score * score)),
    anomalous: score !== null && score >= 1,
    state,
    since: new Date(endMs - 2 * EVERY_MS).toISOString(),
    mode: score === null ? null : Number(/\d*$/.exec(node)?.[0]) % 4,
    q: score === null ? null : 0.93,
    coverage: score === null ? 0.12 : 0.98,
    top:
      score === null
        ? []
        : names.map((metric, i) => ({
            metric,
            statistic: i % 2 === 0 ? 'avg' : 'var',
            observed: 61.25 * (i + 1),
            expected: 48.5 * (i + 1),
            share: 0.45 / (i + 1),
          })),
    model: '3fa91c02be77',
  }
}

export function alarmOf(flag: FlagRecord, from: AlarmState): AlarmRecord {
  const { node, rack, state, since, score, p, mode, top, model, window_end } = flag
  return {
    kind: 'alarm',
    v: 1,
    node,
    rack,
    at: window_end,
    from,
    to: state,
    since,
    score,
    p,
    mode,
    top,
    model,
  }
}

/** Scores and states of a machine in which some nodes are in each state; the same on every call. */
function stateOf(i: number): [AlarmState, number | null] {
  if (i === 433) return ['anomalous', 3.4]
  if (i === 610 || i === 611) return ['anomalous', 1.3 + (i - 610) * 4]
  if (i % 331 === 7) return ['pending', 1.1]
  if (i % 97 === 5) return ['muted', 0.4]
  if (i % 119 === 3) return ['insufficient', null]
  if (i % 211 === 9) return ['silent', null]
  if (i % 71 === 2) return ['learning', 0.5]
  const x = Math.sin(i * 12.9898) * 43758.5453
  return ['normal', 0.05 + 0.85 * (x - Math.floor(x)) ** 2]
}

/** Feeds `windows` windows of `nodes` nodes and the alarms of those that are not normal. */
export function feedMachine(telemetry: Telemetry, nodes: number, windows: number, perRack = 20): void {
  for (let w = windows - 1; w >= 0; w--) {
    for (let i = 0; i < nodes; i++) {
      const [state, score] = stateOf(i)
      const wave = w === 0 ? 1 : 0.75 + 0.25 * Math.sin(i + w / 3)
      const early = state === 'anomalous' && w > 6 ? 0.2 : wave
      const shown = w > 1 && score !== null && score >= 1 && early < 0.5 ? 'normal' : state
      telemetry.flag(
        flagOf(
          nodeName(i, perRack),
          LAST_END_MS - w * EVERY_MS,
          score === null ? null : score * early,
          shown,
        ),
      )
    }
  }
  for (let i = 0; i < nodes; i++) {
    const [state, score] = stateOf(i)
    if (state !== 'normal')
      telemetry.alarm(alarmOf(flagOf(nodeName(i, perRack), LAST_END_MS, score, state), 'normal'))
  }
}
