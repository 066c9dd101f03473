import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from '../../src/model/random.ts'
import { FAULTS, type FaultKind, inject, type RawWindows } from '../../src/tune/faults.ts'
import { featureNames } from '../../src/windows/schema.ts'

const METRICS = ['power', 'load', 'fan', 'absent']
const schema = {
  lengthSeconds: 900,
  everySeconds: 900,
  statistics: ['avg', 'var', 'max', 'min'] as const,
  ddof: 1 as const,
  metrics: METRICS.map((name) => ({ name, sensors: [name], expectedSamples: 15 })),
  transforms: METRICS.flatMap(() => ['none', 'log1p', 'none', 'none'] as const),
}
const d = 16
const ROWS = 12
const scaler = {
  nodes: ['a', 'b'],
  features: d,
  transforms: [...schema.transforms],
  lo: new Float64Array(3 * d),
  range: Float64Array.from({ length: 3 * d }, (_, i) => 100 * (1 + Math.floor(i / d))),
  mean: new Float32Array(3 * d),
}

/** Nodes a and b in turn; the last metric is always missing. */
function windows(): RawWindows {
  const values = new Float64Array(ROWS * d)
  for (let i = 0; i < values.length; i++) {
    const metric = Math.floor((i % d) / 4)
    const level = 1000 * (i < d ? 1 : Math.floor(i / d)) + 10 * metric
    values[i] = metric === 3 ? Number.NaN : [level, 4, level + 3, level - 2][i % 4]!
  }
  return { rows: ROWS, values, node: Int32Array.from({ length: ROWS }, (_, row) => row % 2) }
}

/** The first successful draw of a fault into row 4 (node a), as [feature, before, after] of what changed. */
function faulty(kind: FaultKind, strength: number): [string, number, number][] {
  const raw = windows()
  const names = featureNames({ ...schema, statistics: [...schema.statistics] })
  const random = createRandom(3)
  const into = new Float64Array(d)
  const full = { ...schema, statistics: [...schema.statistics], transforms: [...schema.transforms] }
  while (!inject({ kind, strength }, raw, 4, full, scaler, random, into));
  assert.deepEqual(raw.values, windows().values, 'the windows themselves stay as they are')
  return names.flatMap((name, f): [string, number, number][] => {
    const before = raw.values[4 * d + f]!
    const after = into[f]!
    assert.equal(Number.isNaN(before), Number.isNaN(after), 'what is missing stays missing')
    return before === after || Number.isNaN(before) ? [] : [[name, before, after]]
  })
}

test('shift moves the levels of one metric by a share of its range at that node', () => {
  const changed = faulty('shift', 0.25)
  assert.equal(new Set(changed.map(([name]) => name.split(':')[1])).size, 1)
  assert.deepEqual(
    changed.map(([name]) => name.split(':')[0]),
    ['avg', 'max', 'min'],
  )
  // Node a stands in row 1 of the scaler: range 200.
  for (const [, before, after] of changed) assert.equal(Math.abs(after - before), 50)
})

test('spread scatters the samples of one metric about the same mean', () => {
  const changed = Object.fromEntries(
    faulty('spread', 2).map(([name, before, after]) => [name.split(':')[0], after - before]),
  )
  assert.deepEqual(changed, { var: 12, max: 3, min: -2 })
})

test('frozen makes all samples of one metric equal to its mean at another time of the node', () => {
  const changed = faulty('frozen', 1)
  assert.equal(new Set(changed.map(([name]) => name.split(':')[1])).size, 1)
  const after = Object.fromEntries(changed.map(([name, , value]) => [name.split(':')[0], value]))
  assert.equal(after.var, 0)
  const level = after.avg ?? Number.NaN
  assert.ok([after.max ?? level, after.min ?? level].every((value) => value === level))
  assert.equal(Math.floor(level / 1000) % 2, 0, 'even rows are those of node a')
})

test('mismatch takes whole metrics from another time of the node and leaves others', () => {
  const changed = faulty('mismatch', 0.5)
  const metrics = new Set(changed.map(([name]) => name.split(':')[1]))
  assert.ok(metrics.size >= 1 && metrics.size <= 3)
  const shifts = new Set(changed.map(([, before, after]) => after - before))
  assert.equal(shifts.size, 1, 'all from the same time')
  assert.equal(Math.abs([...shifts][0] ?? 1) % 2000, 0)
})

test('a window with nothing to change says so', () => {
  const alike = windows()
  alike.values.fill(Number.NaN)
  const full = { ...schema, statistics: [...schema.statistics], transforms: [...schema.transforms] }
  for (const fault of FAULTS) {
    assert.equal(inject(fault, alike, 0, full, scaler, createRandom(1), new Float64Array(d)), false)
  }
})
