import type { BootstrapResult } from '../bootstrap/publish.ts'
import type { AlarmRecord, AlarmState } from '../detect/records.ts'
import { alarmEpisodes, matchAlarms, perNodeWeek } from '../evaluate/events.ts'
import type { Fault, FaultKind } from '../simulator/faults.ts'

export interface DemoResult {
  model: BootstrapResult
  faults: {
    id: string
    kind: FaultKind
    nodes: string[]
    start: string
    /** Seconds from the start of the fault to the first alarm on any of its nodes; null when missed. */
    delaySeconds: number | null
    /** State that the alarm raised. */
    state: AlarmState | null
    /** Metrics that the alarm named first. */
    named: string[]
  }[]
  kindsFound: number
  falseAlarms: { node: string; at: string; to: AlarmState; top: string[] }[]
  falseAlarmsPerNodeWeek: number | null
}

/** States that tell an operator of a fault: a node that goes silent is one, too. */
const ALARMING: readonly AlarmState[] = ['anomalous', 'silent', 'insufficient']
/** Metrics of an alarm that the table names. */
const NAMED = 3

/** Holds the alarms of the live stream against the injected faults. */
export function judge(input: {
  faults: readonly Fault[]
  alarms: readonly AlarmRecord[]
  nodes: string[]
  days: number
  windowSeconds: number
  model: BootstrapResult
}): DemoResult {
  const { faults, alarms, nodes, days, windowSeconds, model } = input
  const events = faults.flatMap((fault) =>
    fault.nodes.map((name) => ({
      node: nodes.indexOf(name),
      startMs: fault.startMs,
      endMs: fault.endMs,
      fault,
    })),
  )
  const episodes = alarmEpisodes(alarms, nodes, ALARMING)
  const match = matchAlarms(events, episodes, windowSeconds)
  const recordOf = (node: number, raisedMs: number): AlarmRecord | undefined =>
    alarms.find((alarm) => alarm.node === nodes[node] && Date.parse(alarm.at) === raisedMs)
  const verdicts = faults.map((fault) => {
    const found = match.detections
      .filter(
        ({ event, delaySeconds }) =>
          delaySeconds !== null && events.find((e) => e === event)?.fault === fault,
      )
      .sort((a, b) => (a.delaySeconds ?? 0) - (b.delaySeconds ?? 0))[0]
    const raisedMs = found === undefined ? null : fault.startMs + 1000 * (found.delaySeconds ?? 0)
    const alarm = found === undefined || raisedMs === null ? undefined : recordOf(found.event.node, raisedMs)
    return {
      id: fault.id,
      kind: fault.kind,
      nodes: fault.nodes,
      start: new Date(fault.startMs).toISOString(),
      delaySeconds: found?.delaySeconds ?? null,
      state: alarm?.to ?? null,
      named: (alarm?.top ?? []).slice(0, NAMED).map(({ metric }) => metric),
    }
  })
  const windows = (nodes.length * days * 86_400) / windowSeconds
  return {
    model,
    faults: verdicts,
    kindsFound: new Set(verdicts.filter((v) => v.delaySeconds !== null).map((v) => v.kind)).size,
    falseAlarms: match.falseAlarms.map(({ node, raisedMs }) => {
      const alarm = recordOf(node, raisedMs)
      return {
        node: nodes[node] ?? '',
        at: new Date(raisedMs).toISOString(),
        to: alarm?.to ?? 'anomalous',
        top: (alarm?.top ?? []).slice(0, NAMED).map(({ metric }) => metric),
      }
    }),
    falseAlarmsPerNodeWeek: perNodeWeek(match.falseAlarms.length, windows, windowSeconds),
  }
}
