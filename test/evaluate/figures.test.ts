import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Difference, type Summary, summarise } from '../../src/evaluate/figures.ts'
import { auroc, averagePrecision } from '../../src/evaluate/metrics.ts'
import { EvaluatedWindows } from '../../src/evaluate/windows.ts'
import { createRandom } from '../../src/model/random.ts'

const HOUR = 3_600_000
const HOURLY = { everySeconds: 3600, lengthSeconds: 3600 }
const NODES = ['a', 'b']
const [MODEL, RIVAL] = ['model', 'rival']
const [DAYS, PER_DAY] = [20, 24]
/** Hours of each day in which a node is labelled anomalous; node a on even days, b on odd ones. */
const EVENT = { from: 6, to: 9 }

/** Twenty days of two nodes; the model sees the events better than its rival, who knows a half of them. */
function machine(): EvaluatedWindows {
  const random = createRandom(4)
  const windows = new EvaluatedWindows([MODEL ?? '', RIVAL ?? ''])
  for (let hour = 0; hour < DAYS * PER_DAY; hour++) {
    const day = Math.floor(hour / PER_DAY)
    const isEvent = hour % PER_DAY >= EVENT.from && hour % PER_DAY < EVENT.to
    const label = NODES.map((_, node) => (isEvent && day % 2 === node ? 1 : 0))
    const first = windows.append({
      rows: 2,
      node: Int32Array.of(0, 1),
      start: Float64Array.of(hour * HOUR, hour * HOUR),
      label: Int8Array.from(label),
      values: new Float64Array(0),
      counts: new Uint16Array(0),
    })
    label.forEach((anomalous, node) => {
      windows.columns.forEach(({ score }, c) => {
        const noise = 0.4 * Math.abs(random.normal())
        score[first + node] = noise + (c === 0 || day % 4 < 2 ? anomalous : 0)
      })
    })
  }
  windows.finish()
  return windows
}

const windows = machine()
const summary = await summarise(windows, NODES, HOURLY)
const of = (name: string | undefined, { detectors }: Summary = summary) => {
  const found = detectors.find(({ detector }) => detector === name)
  assert.ok(found)
  return found
}

test('pooled figures are those of all windows together, node figures those of the node', () => {
  for (const { name, score } of windows.columns) {
    assert.equal(of(name).pooled.auroc, auroc(score, windows.label))
    assert.equal(of(name).pooled.averagePrecision, averagePrecision(score, windows.label))
    NODES.forEach((node, n) => {
      const own = <T extends { filter(keep: (value: number, row: number) => boolean): T }>(values: T) =>
        values.filter((_, row) => windows.node[row] === n)
      assert.equal(of(name).nodes[node]?.auroc, auroc(own(score), own(windows.label)))
    })
  }
})

test('means are over the nodes, events and those found are summed', () => {
  const { mean, pooled, nodes } = of(RIVAL)
  const [a, b] = [nodes.a, nodes.b]
  assert.ok(a && b)
  assert.equal(mean.auroc, ((a.auroc ?? 0) + (b.auroc ?? 0)) / 2)
  assert.deepEqual([mean.events, mean.found], [a.events + b.events, a.found + b.found])
  assert.deepEqual([pooled.events, pooled.found], [mean.events, mean.found])
})

test('every event is listed with the delay of each detector', () => {
  assert.equal(summary.events.length, DAYS)
  const eventHours = EVENT.to - EVENT.from
  for (const { node, fromMs, toMs, delaySeconds } of summary.events) {
    const day = Math.floor(fromMs / (24 * HOUR))
    assert.equal(node, NODES[day % 2])
    assert.deepEqual([fromMs, toMs], [(day * 24 + EVENT.from) * HOUR, (day * 24 + EVENT.to) * HOUR])
    // The model's score is over 1 in every window of an event.
    assert.equal(delaySeconds.model, 3600)
    const rival = delaySeconds.rival
    assert.ok(rival === null || rival === undefined || rival <= eventHours * 3600)
    if (day % 4 < 2) assert.equal(rival, 3600)
  }
  assert.equal(of(MODEL).pooled.found, DAYS)
})

test('intervals hold their figure; the difference of paired resamples says that the model is better', () => {
  for (const name of [MODEL, RIVAL]) {
    const { pooled, mean, nodes } = of(name)
    for (const figures of [pooled, mean, ...Object.values(nodes)]) {
      for (const key of ['auroc', 'averagePrecision', 'recall', 'falseFlagsPerDay'] as const) {
        const [low, high] = figures.intervals[key] ?? [1, 0]
        const value = figures[key] ?? Number.NaN
        assert.ok(low <= value && value <= high, `${name} ${key}: ${value} in ${low} to ${high}`)
      }
    }
  }
  const [difference] = summary.differences
  assert.equal(difference?.detector, RIVAL)
  for (const which of ['pooled', 'mean'] as const) {
    assert.ok(difference)
    const { value, interval }: Difference['mean']['auroc'] = difference[which].auroc
    const expected = (of(MODEL)[which].auroc ?? 0) - (of(RIVAL)[which].auroc ?? 0)
    assert.equal(value, expected)
    assert.ok(interval && interval[0] > 0 && interval[0] <= expected && expected <= interval[1])
  }
})

test('the same scores give the same figures, to the bit', async () => {
  assert.deepEqual(await summarise(machine(), NODES, HOURLY), summary)
})

test('labels of one class only: what they leave undefined is null, never NaN', async () => {
  for (const label of [0, 1, -1]) {
    const one = machine()
    one.label.fill(label)
    const result = await summarise(one, NODES, HOURLY)
    assert.ok(!JSON.stringify(result).includes('NaN'))
    const { auroc, recall, falseFlagsPerDay, events } = of(MODEL, result).pooled
    assert.equal(auroc, null)
    assert.equal(recall === null, label !== 1)
    assert.equal(falseFlagsPerDay === null, label !== 0)
    assert.equal(events, label === 1 ? NODES.length : 0)
    for (const number of walk(result)) assert.ok(!Number.isNaN(number))
  }
})

/** Every number in a structure. */
function* walk(value: unknown): Generator<number> {
  if (typeof value === 'number') yield value
  else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) yield* walk(inner)
}

test('an interrupt is heeded between detectors', async () => {
  await assert.rejects(summarise(windows, NODES, HOURLY, AbortSignal.abort(new Error('enough'))), /enough/)
})
