import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { WindowBlock } from '../../src/windows/block.ts'
import { coverage, learnExpectedSamples } from '../../src/windows/coverage.ts'
import { WindowStore } from '../../src/windows/store.ts'
import { folder } from '../history/parquet.ts'

/** A block of `counts.length / metrics` windows whose values are their row and column. */
function block(counts: readonly number[], metrics: number, first = 0): WindowBlock {
  const rows = counts.length / metrics
  return {
    rows,
    node: Int32Array.from({ length: rows }, (_, r) => (first + r) % 7),
    start: Float64Array.from({ length: rows }, (_, r) => 1000 * (first + r)),
    label: Int8Array.from({ length: rows }, (_, r) => ((first + r) % 3) - 1),
    values: Float64Array.from({ length: 2 * metrics * rows }, (_, i) => first + i / 10),
    counts: Uint16Array.from(counts),
  }
}

function withStore<T>(features: number, metrics: number, work: (store: WindowStore) => T): T {
  const store = new WindowStore(features, metrics, folder())
  try {
    return work(store)
  } finally {
    store.close()
  }
}

describe('coverage', () => {
  const metrics = (expected: (number | null)[]) =>
    expected.map((expectedSamples, i) => ({ name: `m${i}`, sensors: [`m${i}`], expectedSamples }))

  test('is the mean share of the expected samples, at most 1 a metric', () => {
    const cases: [expected: (number | null)[], counts: number[], coverage: number][] = [
      [[10, 10], [10, 10], 1],
      [[10, 10], [5, 10], 0.75],
      [[10, 10], [0, 30], 0.5],
      [[10, 10], [0, 0], 0],
      [[10, null], [5, 100], 0.5],
      [[null], [5], 0],
      [[3, 3, 3], [1, 1, 1], 1 / 3],
    ]
    for (const [expected, counts, share] of cases) {
      assert.equal(coverage(metrics(expected), Uint16Array.of(99, ...counts), 1), share)
    }
  })

  test('stays within 0 … 1, more samples never lower it', () => {
    const pair = fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.nat({ max: 65_000 }))
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 30 }), fc.nat({ max: 29 }), (pairs, which) => {
        const known = metrics(pairs.map(([expected]) => expected))
        const counts = Uint16Array.from(pairs, ([, count]) => count)
        const share = coverage(known, counts, 0)
        assert.ok(share >= 0 && share <= 1)
        counts[which % pairs.length]! += 1
        assert.ok(coverage(known, counts, 0) >= share)
      }),
    )
  })

  test('expects the median of the windows that have samples', () => {
    withStore(8, 4, (store) => {
      const rows = [
        [3, 0, 0, 65_535],
        [1, 0, 8, 65_535],
        [2, 0, 0, 65_535],
        [0, 0, 9, 65_535],
      ]
      store.append(block(rows.flat(), 4))
      const expected = learnExpectedSamples(store)
      assert.deepEqual(expected.slice(0, 3), [2, null, 8])
      // Counts so high are pooled; a window with that many is still whole.
      const counts = store.read('counts', 0, 4)
      assert.deepEqual(
        [0, 1, 2, 3].map((row) => coverage(metrics(expected), counts, 4 * row)),
        [2 / 3, 2.5 / 3, 2 / 3, 2 / 3],
      )
    })
  })

  test('learns over more windows than are read at once', () => {
    withStore(2, 1, (store) => {
      // 5000 windows with 7 samples, then 4999 with 3.
      store.append(block(Array<number>(5000).fill(7), 1))
      store.append(block(Array<number>(4999).fill(3), 1))
      assert.deepEqual(learnExpectedSamples(store), [7])
    })
  })
})
