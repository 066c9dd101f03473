import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addValue, createPane, growPane, mergePanes, type Pane } from '../../src/windows/pane.ts'

/** Relative to the size of the values, squared for sums of squares. */
const TOLERANCE = 1e-9

function paneOf(values: readonly number[]): Pane {
  const pane = createPane(0, 1, 1)
  for (const value of values) addValue(pane, 0, value)
  return pane
}

const value = fc
  .oneof(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.constantFrom(0, 0.1, 3))
  .map((v) => v + 0) // no -0

test('panes merged, in any cut, have the statistics of all values', () => {
  fc.assert(
    fc.property(fc.array(fc.array(value, { maxLength: 20 }), { minLength: 1, maxLength: 6 }), (parts) => {
      const all = parts.flat()
      const merged = mergePanes(parts.map(paneOf), 0)
      assert.equal(merged.count, all.length)
      if (all.length === 0) return
      const mean = all.reduce((a, b) => a + b, 0) / all.length
      const m2 = all.reduce((sum, v) => sum + (v - mean) ** 2, 0)
      const size = Math.max(1, ...all.map(Math.abs))
      assert.ok(Math.abs(merged.mean - mean) <= TOLERANCE * size)
      assert.ok(Math.abs(merged.m2 - m2) <= TOLERANCE * size ** 2 * all.length)
      assert.ok(merged.m2 >= 0)
      assert.deepEqual([merged.min, merged.max], [Math.min(...all), Math.max(...all)])
    }),
  )
})

test('equal values have no spread at all, however they are cut', () => {
  const lengths = fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(value, lengths, (constant, parts) => {
      fc.pre(parts.some((length) => length > 0))
      const merged = mergePanes(
        parts.map((length) => paneOf(Array<number>(length).fill(constant))),
        0,
      )
      assert.deepEqual([merged.m2, merged.mean], [0, constant])
    }),
  )
})

test('a pane that grows keeps what it has', () => {
  const pane = createPane(5, 1, 2)
  addValue(pane, 1, 3)
  addValue(pane, 1, 5)
  pane.rebooted[0] = 1
  pane.offsets.set(2, 7)
  const grown = growPane(pane, 4, 2)
  assert.deepEqual(mergePanes([grown], 1), mergePanes([pane], 1))
  assert.deepEqual([grown.startMs, grown.nodes, grown.mean.length, grown.rebooted[0]], [5, 4, 8, 1])
  assert.deepEqual([...grown.offsets], [[2, 7]])
  // A node that came after the pane was made.
  assert.equal(mergePanes([pane, grown], 7).count, 0)
})
