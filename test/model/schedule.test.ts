import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Schedule, scheduledRate } from '../../src/model/schedule.ts'

const rates = (schedule: Schedule, steps: number[]): number[] =>
  steps.map((step) => scheduledRate(0.2, schedule, { step, total: 100, stepsPerEpoch: 5 }))

test('constant stays', () => {
  assert.deepEqual(rates({ kind: 'constant' }, [0, 50, 99]), [0.2, 0.2, 0.2])
})

test('cosine starts at the rate, passes its half in the middle and ends near zero', () => {
  const [first, middle, last] = rates({ kind: 'cosine' }, [0, 50, 99]) as [number, number, number]
  assert.equal(first, 0.2)
  assert.ok(Math.abs(middle - 0.1) < 1e-12)
  assert.ok(last > 0 && last < 1e-4)
})

test('step divides by ten after every so many epochs', () => {
  const found = rates({ kind: 'step', epochs: 4 }, [0, 19, 20, 39, 40])
  const expected = [0.2, 0.2, 0.02, 0.02, 0.002]
  found.forEach((rate, i) => {
    assert.ok(Math.abs(rate - expected[i]!) < 1e-15) // both of the same length
  })
})
