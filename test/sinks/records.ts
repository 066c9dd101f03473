/** Flags and alarms for the sink tests. */
import type { AlarmRecord, FlagRecord } from '../../src/detect/records.ts'

export function flag(node: string, index: number, anomalous: boolean): FlagRecord {
  return {
    kind: 'flag',
    v: 1,
    node,
    rack: '206',
    window_start: new Date(index * 900_000).toISOString(),
    window_end: new Date((index + 1) * 900_000).toISOString(),
    score: anomalous ? 1.5 : 0.5,
    p: 0.25,
    anomalous,
    state: anomalous ? 'pending' : 'normal',
    since: new Date(0).toISOString(),
    mode: 1,
    q: 0.875,
    coverage: 1,
    top: [{ metric: 'ambient', statistic: 'avg', observed: 21.4, expected: null, share: 0.5 }],
    model: '0123456789ab',
  }
}

export function alarm(node: string, index: number): AlarmRecord {
  const at = new Date((index + 1) * 900_000).toISOString()
  return {
    ...{ kind: 'alarm', v: 1, node, rack: null, at, from: 'pending', to: 'anomalous', since: at },
    ...{ score: 1.5, p: 0.001, mode: 1, top: [], model: '0123456789ab' },
  } as AlarmRecord
}
