import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fitKMeansDistance, fitPca } from '../../src/evaluate/baselines.ts'

const near = (actual: ArrayLike<number>, expected: number[], tolerance = 1e-6) => {
  assert.equal(actual.length, expected.length)
  for (const [i, value] of expected.entries()) {
    assert.ok(
      Math.abs((actual[i] ?? Number.NaN) - value) < tolerance,
      `row ${i}: ${actual[i]}, expected ${value}`,
    )
  }
}

// On the line (t, 2t, 0), with a constant third column.
const LINE = Float32Array.of(-1, -2, 0, 1, 2, 0, 2, 4, 0, -2, -4, 0)

test('the PCA residual is the squared distance from the plane of the components, a feature', () => {
  const { name, score } = fitPca(LINE, 4, 3)
  assert.equal(name, 'PCA residual')
  // (2, −1) is at right angles to the line: squared distance 5; the constant column counts as it is: 9.
  near(score(Float32Array.of(3, 6, 0, 2, -1, 0, 0, 0, 3), 3), [0, 5 / 3, 9 / 3])
})

test('the share of variance decides on the number of components', () => {
  // Variances 9, 4, 1 (of 14) on three axes.
  const axes = Float32Array.of(3, 0, 0, -3, 0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 1, 0, 0, -1)
  const probe = Float32Array.of(1, 1, 1)
  const residual = (components: number | { variance: number }) =>
    fitPca(axes, 6, 3, { components }).score(probe, 1)
  near(residual({ variance: 0.6 }), [2 / 3]) // 9/14 = .64
  near(residual({ variance: 0.7 }), [1 / 3]) // 13/14 = .93
  near(residual({ variance: 0.95 }), [0])
  near(residual(1), residual({ variance: 0.6 }) as unknown as number[])
  near(residual(2), residual({ variance: 0.7 }) as unknown as number[])
})

test('fewer rows than features: training rows have no residual, others have', () => {
  const d = 40
  const train = Float32Array.from({ length: 3 * d }, (_, i) => Math.sin(i * i))
  const { score } = fitPca(train, 3, d, { components: { variance: 0.999999 } })
  near(score(train, 3), [0, 0, 0])
  const [other] = score(
    Float32Array.from({ length: d }, (_, i) => Math.cos(3 * i * i)),
    1,
  )
  assert.ok(other !== undefined && other > 0.1)
})

test('equal training rows: the residual is the distance from them', () => {
  near(fitPca(Float32Array.of(1, 2, 1, 2), 2, 2).score(Float32Array.of(3, 4), 1), [4])
})

test('the residual does not depend on the block that a row is scored or fitted in', () => {
  const n = 300 // over two blocks of the covariance
  const d = 7
  const rows = Float32Array.from({ length: n * d }, (_, i) => Math.sin(i * i) * ((i % d) + 1))
  const reversed = Float32Array.from({ length: n * d }, (_, i) => {
    const row = n - 1 - Math.floor(i / d)
    return rows[row * d + (i % d)] ?? Number.NaN
  })
  const options = { components: 2 }
  const scores = fitPca(rows, n, d, options).score(rows, n)
  near(fitPca(reversed, n, d, options).score(rows.subarray(d * 150), n - 150), [...scores.subarray(150)])
})

test('PCA equals the residual of a least squares fit on two features', () => {
  // With d = 2 and one component, n × the smaller eigenvalue of the covariance is the sum of squared residuals.
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
        minLength: 3,
        maxLength: 40,
      }),
      (points) => {
        const n = points.length
        const rows = Float32Array.from(points.flat())
        const mean = (of: (p: [number, number]) => number) => points.reduce((sum, p) => sum + of(p), 0) / n
        const [mx, my] = [mean((p) => p[0]), mean((p) => p[1])]
        const [xx, yy] = [mean((p) => (p[0] - mx) ** 2), mean((p) => (p[1] - my) ** 2)]
        const xy = mean((p) => (p[0] - mx) * (p[1] - my))
        const smaller = (xx + yy - Math.hypot(xx - yy, 2 * xy)) / 2
        const scores = fitPca(rows, n, 2, { components: 1 }).score(rows, n)
        near([scores.reduce((a, b) => a + b, 0) / n], [smaller / 2], 1e-9)
      },
    ),
  )
})

test('PCA refuses what it can not do', () => {
  assert.throws(() => fitPca(LINE, 1, 3), /PCA: 1 training rows, expected at least 2/)
  assert.throws(() => fitPca(LINE, 5, 3), /PCA: 12 training values, expected 5 rows × 3 features/)
  assert.throws(() => fitPca(LINE, 4, 0), /PCA: 0 features/)
  assert.throws(
    () => fitPca(LINE, 4, 3, { components: 3 }),
    /3 components, 4 rows of 3 features allow 1 to 2/,
  )
  assert.throws(() => fitPca(LINE, 4, 3, { components: { variance: 1 } }), /variance 1, expected a share/)
  assert.throws(() => fitPca(Float32Array.of(1, 2, 3, Number.NaN), 2, 2), /feature 1 of the training rows/)
  const { score } = fitPca(LINE, 4, 3)
  assert.throws(() => score(LINE, 5), /PCA residual: 12 values, expected 5 rows × 3 features/)
  assert.throws(() => score(Float32Array.of(0, 0, 0, 0, Infinity, 0), 2), /PCA residual: row 1 holds a value/)
})

/** Four points around each of two centres, (0, 0) and (10, 10), and a constant column. */
const CLOUDS = Float32Array.from([0, 10].flatMap((c) => [c - 1, c, 5, c + 1, c, 5, c, c - 1, 5, c, c + 1, 5]))

test('the k-means distance is that to the nearest centre', () => {
  const { name, score } = fitKMeansDistance(CLOUDS, 8, 3, { k: 2 })
  assert.equal(name, 'k-means distance')
  near(score(Float32Array.of(0, 0, 5, 10, 13, 5, 10, 10, 1, 3, 4, 5), 4), [0, 3, 4, 5])
})

test('same seed, same centres; the sample is drawn by the seed', () => {
  const n = 500
  const d = 3
  const rows = Float32Array.from({ length: n * d }, (_, i) => Math.sin(i * i))
  const scores = (seed: number) => fitKMeansDistance(rows, n, d, { k: 5, seed, maxRows: 60 }).score(rows, n)
  assert.deepEqual(scores(3), scores(3))
  assert.notDeepEqual(scores(3), scores(4))
})

test('the sample is drawn from all rows', () => {
  const rows = Float32Array.from({ length: 200 }, (_, i) => (i < 100 ? 0 : 10))
  near(fitKMeansDistance(rows, 200, 1, { k: 2, maxRows: 40 }).score(Float32Array.of(0, 10), 2), [0, 0])
})

test('more centres than distinct rows: as many centres as there are distinct rows', () => {
  const twice = Float32Array.of(1, 1, 1, 1, 4, 5, 4, 5)
  near(fitKMeansDistance(twice, 4, 2).score(twice, 4), [0, 0, 0, 0])
  near(fitKMeansDistance(twice, 2, 2).score(twice, 4), [0, 0, 5, 5])
  near(fitKMeansDistance(twice, 1, 2).score(twice, 4), [0, 0, 5, 5])
})

test('k-means refuses what it can not do', () => {
  assert.throws(() => fitKMeansDistance(CLOUDS, 0, 3), /k-means: 0 training rows, expected at least 1/)
  assert.throws(() => fitKMeansDistance(CLOUDS, 8, 3, { k: 0 }), /k-means: 0 centres/)
  assert.throws(
    () => fitKMeansDistance(Float32Array.of(Number.NaN, 1), 2, 1),
    /feature 0 of the training rows/,
  )
  const { score } = fitKMeansDistance(CLOUDS, 8, 3)
  assert.throws(() => score(Float32Array.of(1, 2, Number.NaN), 1), /k-means distance: row 0 holds a value/)
})
