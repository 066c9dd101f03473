import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { planRungs, rank } from '../../src/tune/halving.ts'

const halving = { strategy: 'halving', trials: 27, reduction: 3, fullEpochs: 81, minEpochs: 1 } as const

test('successive halving as published: 27, 9, 3, 1 trials with 1/27, 1/9, 1/3, 1 of the epochs', () => {
  const rungs = planRungs(halving)
  assert.deepEqual(
    rungs.map(({ trials }) => trials),
    [27, 9, 3, 1],
  )
  for (const [i, { share }] of rungs.entries()) assert.ok(Math.abs(share - 3 ** (i - 3)) < 1e-12)
})

test('no rung has fewer epochs than asked for, and the last one trains in full', () => {
  assert.deepEqual(
    planRungs({ ...halving, fullEpochs: 40, minEpochs: 4 }).map(({ trials }) => trials),
    [27, 9, 3],
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 20 }),
      (trials, reduction, fullEpochs, minEpochs) => {
        const rungs = planRungs({ strategy: 'halving', trials, reduction, fullEpochs, minEpochs })
        assert.equal(rungs[0]?.trials, trials)
        assert.equal(rungs.at(-1)?.share, 1)
        for (const { trials: n, share } of rungs) {
          assert.ok(n >= 1)
          assert.ok(rungs.length === 1 || share * fullEpochs >= minEpochs - 1e-9)
        }
      },
    ),
  )
})

test('random search trains every trial in full', () => {
  assert.deepEqual(planRungs({ ...halving, strategy: 'random' }), [{ trials: 27, share: 1 }])
})

test('the largest criterion ranks first, a failure last', () => {
  const of = (trial: number, criterion: number | null) => ({ trial, criterion })
  assert.deepEqual(
    rank([of(0, 0.2), of(1, null), of(2, 0.9), of(3, 0.2)]).map(({ trial }) => trial),
    [2, 0, 3, 1],
  )
})
