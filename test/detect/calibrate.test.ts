import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { calibrate, pValue } from '../../src/detect/calibrate.ts'
import { combine, SCALE_WEIGHTS, startMemory, toScore } from '../../src/detect/memory.ts'
import { createRandom } from '../../src/model/random.ts'

const KINDS = 2

/** Evidence of normal windows: Gaussian in the log domain, `nodes` nodes interleaved. */
function normalWindows(rows: number, seed: number, nodes = 4) {
  const random = createRandom(seed)
  return {
    rows,
    node: Int32Array.from({ length: rows }, (_, i) => i % nodes),
    evidence: Float64Array.from({ length: rows * KINDS }, (_, i) => (i % KINDS) + 0.3 * random.normal()),
  }
}

describe('calibrate', () => {
  test('centre and spread of the shortest scale are median and MAD', () => {
    const evidence = Float64Array.from({ length: 41 }, (_, i) => i)
    const learned = calibrate({ rows: 41, node: new Int32Array(41), evidence }, 0.05)
    assert.equal(learned.centre[0], 20)
    assert.equal(learned.spread[0], 10)
  })

  test('the share of fresh normal windows over the threshold is near the rate asked for', () => {
    const rate = 1 / 200
    const learned = calibrate(normalWindows(8000, 1), rate)
    const fresh = normalWindows(40_000, 2)
    const memories = Array.from({ length: 4 }, () => startMemory(learned))
    let over = 0
    for (let i = 0; i < fresh.rows; i++) {
      const combined = combine(memories[fresh.node[i]!]!, learned, fresh.evidence, i * KINDS)
      if (toScore(combined, learned) >= 1) over++
    }
    const found = over / fresh.rows
    assert.ok(found > rate / 3 && found < rate * 3, `asked ${rate}, found ${found}`)
  })

  test('a rarer rate gives a higher threshold', () => {
    const thresholds = [0.02, 0.005, 0.001].map((rate) => calibrate(normalWindows(4000, 3), rate).threshold)
    assert.deepEqual(
      thresholds.toSorted((a, b) => a - b),
      thresholds,
    )
  })

  test('windows that are all the same still give a usable scale', () => {
    const learned = calibrate({ rows: 50, node: new Int32Array(50), evidence: new Float64Array(100) }, 0.01)
    assert.ok(learned.spread.every((spread) => spread > 0))
    assert.equal(learned.threshold, 3)
  })
})

describe('score', () => {
  const learned = calibrate(normalWindows(4000, 5), 0.005)

  test('is 1 exactly at the threshold and never negative', () => {
    assert.equal(toScore(learned.threshold, learned), 1)
    assert.equal(toScore(-5, learned), 0)
  })

  test('grows with the evidence', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -5, max: 20, noNaN: true }),
        fc.double({ min: 0, max: 20, noNaN: true }),
        (base, more) => {
          const low = combine(startMemory(learned), learned, [base, 1], 0)
          const high = combine(startMemory(learned), learned, [base + more, 1], 0)
          assert.ok(high >= low)
        },
      ),
    )
  })

  test('a typical first window of a node scores about 0', () => {
    assert.ok(
      Math.abs(
        combine(
          startMemory(learned),
          learned,
          learned.centre.filter((_, i) => i % 3 === 0),
          0,
        ),
      ) < 1,
    )
  })

  test('what is small but stays is found by the long memory', () => {
    const memory = startMemory(learned)
    const shortest = learned.spread[0]!
    const raised = [learned.centre[0]! + 2.5 * shortest, learned.centre[3]! + 2.5 * learned.spread[3]!]
    const first = combine(memory, learned, raised, 0)
    let last = first
    for (let window = 0; window < 30; window++) last = combine(memory, learned, raised, 0)
    assert.ok(first < learned.threshold, 'one such window is nothing')
    assert.ok(last > 1.5 * first, `after hours it is: ${first} became ${last}`)
  })

  test('means move by their weights', () => {
    const memory = startMemory(learned)
    const value = learned.centre[0]! + learned.spread[0]!
    combine(memory, learned, [value, learned.centre[3]!], 0)
    SCALE_WEIGHTS.forEach((weight, s) => {
      const start = learned.centre[s]!
      assert.ok(Math.abs(memory[s]! - (start + weight * (value - start))) < 1e-12)
    })
  })
})

test('p-values count the calibration windows at least as strange, and the window itself', () => {
  const sorted = Float64Array.of(1, 2, 3, 4)
  assert.equal(pValue(sorted, 5), 1 / 5)
  assert.equal(pValue(sorted, 4), 2 / 5)
  assert.equal(pValue(sorted, 0), 1)
})
