import assert from 'node:assert/strict'

export function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6): void {
  assert.equal(actual.length, expected.length)
  for (let i = 0; i < expected.length; i++) {
    const [found, wanted] = [actual[i] ?? Number.NaN, expected[i] ?? Number.NaN]
    assert.ok(Math.abs(found - wanted) <= tolerance, `row ${i}: ${found}, expected ${wanted}`)
  }
}
