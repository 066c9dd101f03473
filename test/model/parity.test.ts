/** Serving equals training: what a window scores does not depend on the windows beside it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRandom } from '../../src/model/random.ts'
import { Scorer, type Scores } from '../../src/model/scorer.ts'
import { randomModel, randomWindows } from './random-model.ts'

const OUTPUTS = [
  'code',
  'q',
  'scaled',
  'squaredResidual',
  'expected',
  'clipped',
  'evidence',
  'contribution',
] as const

/** Largest difference of row `i` of one block from row `j` of another, by output. */
function compareRows(
  a: Scores,
  i: number,
  rowsA: number,
  b: Scores,
  j: number,
  rowsB: number,
  most: Map<string, number>,
): void {
  for (const name of OUTPUTS) {
    const width = Math.floor(b[name].length / Math.max(rowsB, 2))
    assert.equal(Math.floor(a[name].length / Math.max(rowsA, 2)), width)
    let largest = most.get(name) ?? 0
    for (let f = 0; f < width; f++) {
      largest = Math.max(largest, Math.abs(a[name][i * width + f]! - b[name][j * width + f]!))
    }
    most.set(name, largest)
  }
}

async function deviations(d: number): Promise<Map<string, number>> {
  const rows = 980
  const model = randomModel(d, [256, 128], 10, 8, 4)
  const scorer = await Scorer.create(model.graph, d)
  const { values, node } = randomWindows(d, rows, 5)
  const whole = await scorer.score(values, node, rows)
  const most = new Map<string, number>()
  for (const size of [1, 2, 3, 17]) {
    for (let first = 0; first + size <= rows; first += 49) {
      const part = await scorer.score(
        values.subarray(first * d, (first + size) * d),
        node.subarray(first, first + size),
        size,
      )
      for (let i = 0; i < size; i++) compareRows(part, i, size, whole, first + i, rows, most)
    }
  }
  const order = Int32Array.from({ length: rows }, (_, i) => i)
  createRandom(6).shuffle(order)
  const mixed = new Float64Array(rows * d)
  order.forEach((from, to) => {
    mixed.set(values.subarray(from * d, (from + 1) * d), to * d)
  })
  const shuffled = await scorer.score(
    mixed,
    Int32Array.from(order, (from) => node[from]!),
    rows,
  )
  order.forEach((from, to) => {
    compareRows(shuffled, to, rows, whole, from, rows, most)
  })
  await scorer.release()
  return most
}

test('a row scores the same bits alone, in blocks of 2, 3, 17 and 980, and in another order', async () => {
  const most = await deviations(348)
  for (const name of OUTPUTS) assert.equal(most.get(name), 0, name)
})

test('so does its evidence where rows do not start on whole vectors; contributions differ by rounding only', async () => {
  const most = await deviations(347)
  for (const name of OUTPUTS) {
    const limit = name === 'contribution' ? 1e-7 : 0
    assert.ok(most.get(name)! <= limit, `${name}: ${most.get(name)}`)
  }
})

test('scores of any block equal those of its rows', async () => {
  const d = 12
  const model = randomModel(d, [9], 3, 3, 8)
  const scorer = await Scorer.create(model.graph, d)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 1000 }), async (n, seed) => {
      const { values, node } = randomWindows(d, n, seed)
      const { evidence } = await scorer.score(values, node, n)
      for (let i = 0; i < n; i++) {
        const alone = await scorer.score(values.slice(i * d, (i + 1) * d), node.slice(i, i + 1), 1)
        assert.deepEqual([...alone.evidence.subarray(0, 2)], [...evidence.subarray(i * 2, i * 2 + 2)])
      }
    }),
    { numRuns: 30 },
  )
  await scorer.release()
})
