import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findPlateau } from '../../src/bootstrap/plateau.ts'

/** The loss of the published report's notebook: the epochs it prints, the rest between them. */
function reportCurve(): number[] {
  const printed: [number, number][] = [
    [1, 0.1205],
    [2, 0.0368],
    [3, 0.0303],
    [53, 0.0303],
    [56, 0.0293],
    [57, 0.0245],
    [60, 0.0157],
    [63, 0.0133],
    [100, 0.0114],
  ]
  const losses: number[] = []
  for (const [i, [epoch, loss]] of printed.entries()) {
    const [before, from] = printed[i - 1] ?? [0, loss]
    for (let e = before + 1; e <= epoch; e++) {
      losses.push(from + ((loss - from) * (e - before)) / (epoch - before))
    }
  }
  return losses
}

test("the published report's curve: at the mean predictor from epoch 3 to 56, then escaped", () => {
  const losses = reportCurve()
  assert.equal(losses.length, 100)
  assert.deepEqual(findPlateau(losses, 0.0303), { fromEpoch: 3, toEpoch: 56, escaped: true })
})

test('stopped before epoch 57 it has not escaped', () => {
  assert.deepEqual(findPlateau(reportCurve().slice(0, 50), 0.0303), {
    fromEpoch: 3,
    toEpoch: 50,
    escaped: false,
  })
})

test('a curve that falls through the mean predictor has no plateau', () => {
  assert.equal(findPlateau([0.5, 0.11, 0.098, 0.06, 0.03], 0.1), null)
  assert.equal(findPlateau([], 0.1), null)
  assert.equal(findPlateau([0.4, 0.3, 0.2], 0.1), null)
})

test('the longest stretch counts, also one that a collapse ends in', () => {
  const collapsed = [0.1, 0.1, 0.1, 0.05, 0.04, 0.1, 0.1, 0.1, 0.1]
  assert.deepEqual(findPlateau(collapsed, 0.1), { fromEpoch: 6, toEpoch: 9, escaped: false })
  const noisy = [0.3, 0.103, 0.097, 0.101, 0.104, 0.02]
  assert.deepEqual(findPlateau(noisy, 0.1), { fromEpoch: 2, toEpoch: 5, escaped: true })
})
