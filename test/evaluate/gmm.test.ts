import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adjustedRandIndex } from '../../src/evaluate/clustering.ts'
import { fitGaussianMixture } from '../../src/evaluate/gmm.ts'
import { createRandom } from '../../src/model/random.ts'
import { golden } from './golden.ts'

const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string) => {
  assert.equal(actual.length, expected.length, what)
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i] as number, expected[i] as number]
    assert.ok(Math.abs(a - e) < tolerance * Math.max(1, Math.abs(e)), `${what} ${i}: ${a}, expected ${e}`)
  }
}

test('from the same start the mixture is that of scikit-learn, iteration by iteration', async () => {
  for (const { name, points, features, k, start, mixture: expected } of golden.baselines) {
    const found = await fitGaussianMixture(Float32Array.from(points), features, k, start)
    assert.equal(found.iterations, expected.iterations, name)
    assert.deepEqual([...found.assignment], expected.assignment, name)
    near(found.weights, expected.weights, 1e-4, `${name}: weight`)
    near(found.means, expected.means, 1e-4, `${name}: mean`)
    near([found.logLikelihood], [expected.logLikelihood], 1e-5, `${name}: log density`)
    assert.equal(found.converged, true)
  }
})

test('more rows than a block: two Gaussians of different shape are told apart', async () => {
  const random = createRandom(3)
  const n = 9000
  const labels = Int32Array.from({ length: n }, () => random.integer(2))
  const points = new Float32Array(2 * n)
  for (let i = 0; i < n; i++) {
    const along = 4 * random.normal()
    const across = 0.2 * random.normal()
    points.set(labels[i] === 0 ? [along, across] : [across, along], 2 * i)
  }
  const start = Int32Array.from({ length: n }, (_, i) =>
    Math.abs(points[2 * i] as number) > Math.abs(points[2 * i + 1] as number) ? 0 : 1,
  )
  const { assignment, weights } = await fitGaussianMixture(points, 2, 2, start)
  // About one row in 15 lies where the two cross.
  assert.ok(adjustedRandIndex(assignment, labels) > 0.85)
  near(weights, [0.5, 0.5], 0.03, 'weight')
})

test('equal rows and an empty component stay finite; too few rows are refused', async () => {
  const equal = await fitGaussianMixture(new Float32Array(20).fill(0.5), 2, 2, new Int32Array(10))
  assert.ok(Number.isFinite(equal.logLikelihood))
  assert.deepEqual([...new Set(equal.assignment)], [0])
  const one = await fitGaussianMixture(Float32Array.of(1, 2), 2, 1, [0])
  assert.deepEqual([...one.assignment], [0])
  await assert.rejects(
    fitGaussianMixture(Float32Array.of(1, 2), 2, 2, [0]),
    /2 components needs as many rows, got 1/,
  )
  await assert.rejects(fitGaussianMixture(new Float32Array(4), 2, 2, [0]), /2 rows, but a start for 1/)
})

test('an aborted fit ends', async () => {
  const signal = AbortSignal.abort()
  await assert.rejects(fitGaussianMixture(new Float32Array(8), 2, 2, [0, 1, 0, 1], { signal }), {
    name: 'AbortError',
  })
})
