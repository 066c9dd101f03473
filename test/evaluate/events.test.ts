import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AlarmRecord, AlarmState } from '../../src/detect/records.ts'
import {
  alarmEpisodes,
  detectEvents,
  type LabelledEvent,
  labelledEvents,
  matchAlarms,
  perNodeWeek,
} from '../../src/evaluate/events.ts'

const LENGTH_SECONDS = 900
const LENGTH_MS = LENGTH_SECONDS * 1000
/** Times in the tests are window numbers. */
const ms = (window: number) => window * LENGTH_MS

function windowsOf(rows: { node?: number; window: number; label: number; score?: number }[]) {
  return {
    rows: rows.length,
    node: Int32Array.from(rows, (row) => row.node ?? 0),
    start: Float64Array.from(rows, (row) => ms(row.window)),
    label: Int8Array.from(rows, (row) => row.label),
    score: Float64Array.from(rows, (row) => row.score ?? 0),
  }
}
const run = (labels: number[], node = 0) => labels.map((label, window) => ({ node, window, label }))
const event = (from: number, to: number, node = 0): LabelledEvent => ({
  node,
  startMs: ms(from),
  endMs: ms(to),
})

test('an event is a run of anomalous windows of one node; a gap of one window does not end it', () => {
  const rows = [...run([0, 1, 1, 0, 1, 0, 0, 1, -1, 1, -1, -1, 1]), ...run([1, 0, 0, 0], 1)]
  assert.deepEqual(labelledEvents(windowsOf(rows), LENGTH_SECONDS), [
    event(1, 5),
    event(7, 10),
    event(12, 13),
    event(0, 1, 1),
  ])
  assert.deepEqual(labelledEvents(windowsOf([]), LENGTH_SECONDS), [])
})

test('overlapping windows make one event', () => {
  const rows = [0, 0.5, 1, 1.5].map((window) => ({ window, label: window < 1.5 ? 1 : 0 }))
  assert.deepEqual(labelledEvents(windowsOf(rows), LENGTH_SECONDS), [event(0, 2)])
})

test('events cover the anomalous windows, do not depend on row order and lie apart', () => {
  const rows = fc.uniqueArray(
    fc.record({
      node: fc.integer({ min: 0, max: 2 }),
      window: fc.integer({ min: 0, max: 30 }),
      label: fc.constantFrom(-1, 0, 1),
    }),
    { selector: (row) => `${row.node} ${row.window}` },
  )
  fc.assert(
    fc.property(rows, (windows) => {
      const events = labelledEvents(windowsOf(windows), LENGTH_SECONDS)
      assert.deepEqual(labelledEvents(windowsOf(windows.toReversed()), LENGTH_SECONDS), events)
      for (const { node, window, label } of windows) {
        if (label !== 1) continue
        const covering = events.filter(
          (e) => e.node === node && e.startMs <= ms(window) && ms(window + 1) <= e.endMs,
        )
        assert.equal(covering.length, 1)
      }
      for (const [i, e] of events.entries()) {
        const before = events[i - 1]
        if (before?.node === e.node) assert.ok(e.startMs - before.endMs > LENGTH_MS)
      }
    }),
  )
})

test('the delay runs from the start of the event to the end of its first flagged window', () => {
  const rows = [0, 1, 1, 1, 0, 0, 0, 1].map((label, window) => ({
    window,
    label,
    score: window === 3 || window === 4 ? 1 : 0.5,
  }))
  const windows = windowsOf(rows)
  const events = labelledEvents(windows, LENGTH_SECONDS)
  const delays = (threshold: number) =>
    detectEvents(events, windows, threshold, LENGTH_SECONDS).map((found) => found.delaySeconds)
  assert.deepEqual(delays(1), [3 * LENGTH_SECONDS, null])
  assert.deepEqual(delays(0.5), [LENGTH_SECONDS, LENGTH_SECONDS])
  assert.deepEqual(delays(1.1), [null, null])
})

test('neither normal windows, nor windows without a score, nor later ones, nor other nodes find an event', () => {
  const windows = windowsOf([
    { window: 0, label: 1, score: Number.NaN },
    { window: 1, label: 0, score: 9 },
    { window: 2, label: 1, score: 0 },
    { window: 9, label: 1, score: 9 },
    { window: 0, label: 1, score: 9, node: 1 },
  ])
  const events = labelledEvents(windows, LENGTH_SECONDS)
  assert.deepEqual(
    detectEvents(events, windows, 1, LENGTH_SECONDS).map((found) => [found.event.node, found.delaySeconds]),
    [
      [0, null],
      [0, LENGTH_SECONDS],
      [1, LENGTH_SECONDS],
    ],
  )
})

function alarm(node: string, window: number, from: AlarmState, to: AlarmState, since: number): AlarmRecord {
  return {
    kind: 'alarm',
    v: 1,
    node,
    rack: null,
    at: new Date(ms(window)).toISOString(),
    from,
    to,
    since: new Date(ms(since)).toISOString(),
    score: 1.5,
    p: 0.01,
    mode: 0,
    top: [],
    model: '0123456789ab',
  }
}

test('an episode lasts from the alarm to its clearing, its evidence from `pending` on', () => {
  const records = [
    alarm('a', 2, 'normal', 'pending', 0),
    alarm('b', 3, 'normal', 'silent', 0),
    alarm('a', 4, 'pending', 'anomalous', 2),
    alarm('a', 9, 'anomalous', 'normal', 4),
    alarm('a', 12, 'normal', 'anomalous', 9),
  ]
  assert.deepEqual(alarmEpisodes(records, ['a', 'b']), [
    { node: 0, evidenceMs: ms(2), raisedMs: ms(4), clearedMs: ms(9) },
    { node: 0, evidenceMs: ms(12), raisedMs: ms(12), clearedMs: Infinity },
  ])
  assert.deepEqual(alarmEpisodes(records, ['a', 'b'], ['silent']), [
    { node: 1, evidenceMs: ms(3), raisedMs: ms(3), clearedMs: Infinity },
  ])
  assert.throws(() => alarmEpisodes(records, ['a']), /alarm of node "b", which is not in the history/)
})

test('a change between two counted states is one episode', () => {
  const records = [
    alarm('a', 2, 'normal', 'anomalous', 0),
    alarm('a', 4, 'anomalous', 'silent', 2),
    alarm('a', 6, 'silent', 'normal', 4),
  ]
  assert.deepEqual(alarmEpisodes(records, ['a'], ['anomalous', 'silent']), [
    { node: 0, evidenceMs: ms(2), raisedMs: ms(2), clearedMs: ms(6) },
  ])
})

test('alarms match events of their node that they overlap; the rest are false', () => {
  const episode = (node: number, evidence: number, raised: number, cleared: number) => ({
    node,
    evidenceMs: ms(evidence),
    raisedMs: ms(raised),
    clearedMs: ms(cleared),
  })
  const found = event(10, 14)
  const standing = event(31, 33)
  const justEnded = event(40, 41)
  const missed = event(50, 51)
  const wrongNode = event(10, 14, 1)
  const before = episode(0, 2, 3, 10) // cleared as the first event begins
  const late = episode(0, 60, 61, 62)
  const { detections, falseAlarms } = matchAlarms(
    [found, standing, justEnded, missed, wrongNode],
    [
      before,
      episode(0, 11, 13, 15),
      episode(0, 14, 15, 16),
      episode(0, 29, 30, 35),
      episode(0, 42, 43, 44),
      late,
    ],
    LENGTH_SECONDS,
  )
  assert.deepEqual(
    detections.map(({ delaySeconds }) => delaySeconds),
    [3 * LENGTH_SECONDS, 0, 3 * LENGTH_SECONDS, null, null],
  )
  assert.deepEqual(falseAlarms, [before, late])
})

test('alarms per node and week', () => {
  const windowsAWeek = (7 * 86_400) / LENGTH_SECONDS
  assert.equal(perNodeWeek(6, 3 * windowsAWeek, LENGTH_SECONDS), 2)
  assert.equal(perNodeWeek(0, 0, LENGTH_SECONDS), null)
})
