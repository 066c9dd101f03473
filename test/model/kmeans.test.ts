import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { kMeans } from '../../src/model/kmeans.ts'
import { createRandom } from '../../src/model/random.ts'
import { blobs } from './support.ts'

const POINTS = [
  [0, 0],
  [5, 0],
  [0, 5],
  [5, 5],
]

/** Nearest centre by plain arithmetic. */
function nearest(
  points: Float32Array,
  c: number,
  centres: Float32Array,
  i: number,
): { j: number; squared: number } {
  const squares = Array.from({ length: centres.length / c }, (_, j) =>
    Array.from({ length: c }, (_, f) => (points[i * c + f]! - centres[j * c + f]!) ** 2).reduce(
      (a, b) => a + b,
      0,
    ),
  )
  const squared = Math.min(...squares)
  return { j: squares.indexOf(squared), squared }
}

test('separated blobs are recovered: centres at their means, one cluster each', () => {
  const n = 100
  const points = blobs(POINTS, n, 0.3, 1)
  const { centres, assignment, inertia } = kMeans(points, 2, 4, 5, createRandom(1))
  POINTS.forEach((_, b) => {
    const mean = [0, 1].map((f) => {
      let sum = 0
      for (let i = 0; i < n; i++) sum += points[(b * n + i) * 2 + f]!
      return sum / n
    })
    const cluster = assignment[b * n]!
    assert.ok(assignment.subarray(b * n, (b + 1) * n).every((j) => j === cluster))
    mean.forEach((v, f) => {
      assert.ok(Math.abs(centres[cluster * 2 + f]! - v) < 1e-5)
    })
  })
  // 2 · n · 0.3² a blob.
  assert.ok(Math.abs(inertia / (4 * 2 * n * 0.09) - 1) < 0.15)
})

test('assignment and inertia are those of the centres; the same seed gives the same', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 8, maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 1000 }),
      (values, k, seed) => {
        const c = 2
        const points = Float32Array.from(values.slice(0, values.length - (values.length % c)))
        const result = kMeans(points, c, k, 3, createRandom(seed))
        let inertia = 0
        for (let i = 0; i < points.length / c; i++) {
          const { squared } = nearest(points, c, result.centres, i)
          inertia += squared
          const given = result.assignment[i]!
          const own = nearest(points, c, result.centres.subarray(given * c, (given + 1) * c), i).squared
          assert.ok(own <= squared + 1e-6, 'assigned to a nearest centre')
        }
        assert.ok(Math.abs(result.inertia - inertia) < 1e-4)
        assert.deepEqual(kMeans(points, c, k, 3, createRandom(seed)), result)
      },
    ),
  )
})

test('more restarts are never worse: the first ones are the same', () => {
  const points = blobs(POINTS, 20, 1.5, 2)
  for (let seed = 0; seed < 10; seed++) {
    const inertia = [1, 2, 5, 20].map(
      (restarts) => kMeans(points, 2, 6, restarts, createRandom(seed)).inertia,
    )
    assert.deepEqual(
      inertia,
      inertia.toSorted((a, b) => b - a),
    )
  }
})

test('k = n puts a centre on every point', () => {
  const points = Float32Array.of(0, 0, 1, 0, 0, 1, 7, 7, -3, 2)
  const { centres, assignment, inertia } = kMeans(points, 2, 5, 1, createRandom(3))
  assert.equal(inertia, 0)
  assert.equal(new Set(assignment).size, 5)
  assignment.forEach((j, i) => {
    assert.deepEqual([...centres.subarray(j * 2, j * 2 + 2)], [...points.subarray(i * 2, i * 2 + 2)])
  })
})

test('fewer distinct points than centres: no error, no NaN, inertia 0', () => {
  const points = Float32Array.of(1, 1, 1, 1, 1, 1, 2, 2)
  const { centres, inertia } = kMeans(points, 2, 3, 4, createRandom(4))
  assert.equal(inertia, 0)
  assert.ok(centres.every(Number.isFinite))
  const equal = kMeans(new Float32Array(10).fill(3), 1, 4, 2, createRandom(4))
  assert.equal(equal.inertia, 0)
  assert.deepEqual([...equal.centres], [3, 3, 3, 3])
})

test('fewer points than centres are refused', () => {
  assert.throws(() => kMeans(Float32Array.of(1, 2), 1, 3, 1, createRandom(1)), {
    name: 'RangeError',
    message: 'k-means needs at least k points: 2 points, k = 3',
  })
  assert.throws(() => kMeans(Float32Array.of(1, 2), 1, 1, 0, createRandom(1)), /at least one restart/)
})
