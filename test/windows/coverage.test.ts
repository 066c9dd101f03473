import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import type { WindowBlock } from '../../src/windows/block.ts'
import { coverage, learnExpectedSamples, storeCoverage } from '../../src/windows/coverage.ts'
import type { FeatureSchema } from '../../src/windows/schema.ts'
import { WindowStore } from '../../src/windows/store.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-store-'))
after(() => rmSync(folder, { recursive: true }))

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
  const store = new WindowStore(features, metrics, folder)
  try {
    return work(store)
  } finally {
    store.close()
  }
}

describe('store', () => {
  test('gives back what it took, block by block, beyond its first room, and leaves nothing behind', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 1500 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        (sizes, metrics) => {
          withStore(2 * metrics, metrics, (store) => {
            const blocks = sizes.map((rows, i) =>
              block(
                Array.from({ length: rows * metrics }, (_, c) => c % 65_536),
                metrics,
                10_000 * i,
              ),
            )
            for (const each of blocks) store.append(each)
            assert.equal(
              store.rows,
              sizes.reduce((a, b) => a + b, 0),
            )
            let first = 0
            for (const { rows, node, start, label, values, counts } of blocks) {
              assert.deepEqual(store.node.subarray(first, first + rows), node)
              assert.deepEqual(store.start.subarray(first, first + rows), start)
              assert.deepEqual(store.label.subarray(first, first + rows), label)
              const room = new Float64Array(2000 * 2 * metrics)
              assert.deepEqual(store.readValues(first, rows, room), values)
              assert.deepEqual(store.readCounts(first, rows, new Uint16Array(2000 * metrics)), counts)
              first += rows
            }
          })
        },
      ),
      { numRuns: 20 },
    )
    assert.deepEqual(readdirSync(folder), [])
  })

  test('takes only the rows that a block says it has', () => {
    withStore(2, 1, (store) => {
      store.append({ ...block([1, 2, 3], 1), rows: 2 })
      store.append(block([9], 1))
      assert.deepEqual([...store.readCounts(0, 3, new Uint16Array(3))], [1, 2, 9])
      assert.deepEqual([...store.start.subarray(0, 3)], [0, 1000, 0])
    })
  })

  test('keeps NaN, and refuses to read beyond its end', () => {
    withStore(2, 1, (store) => {
      store.append({ ...block([1], 1), values: Float64Array.of(Number.NaN, -0) })
      assert.deepEqual([...store.readValues(0, 1, new Float64Array(2))], [Number.NaN, -0])
      assert.throws(() => store.readValues(0, 2, new Float64Array(4)), /shorter than written/)
    })
  })

  test('its files exist until it is closed', () => {
    const store = new WindowStore(1, 1, folder)
    const [name = ''] = readdirSync(folder)
    assert.deepEqual(readdirSync(join(folder, name)), ['counts.u16', 'values.f64'])
    store.close()
    assert.equal(existsSync(join(folder, name)), false)
  })
})

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
      const schema = { metrics: metrics(expected) } as FeatureSchema
      assert.deepEqual([...storeCoverage(schema, store)], [2 / 3, 2.5 / 3, 2 / 3, 2 / 3].map(Math.fround))
    })
  })

  test('learns over more windows than are read at once', () => {
    withStore(2, 1, (store) => {
      // 5000 windows with 7 samples, then 4999 with 3.
      store.append(block(Array<number>(5000).fill(7), 1))
      store.append(block(Array<number>(4999).fill(3), 1))
      assert.deepEqual(learnExpectedSamples(store), [7])
      const share = storeCoverage({ metrics: metrics([7]) } as FeatureSchema, store)
      assert.deepEqual([share.length, share[0], share[9998]], [9999, 1, Math.fround(3 / 7)])
    })
  })
})
