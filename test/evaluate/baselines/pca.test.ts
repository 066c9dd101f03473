import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fitPca } from '../../../src/evaluate/baselines/pca.ts'
import { near } from './near.ts'

// On the line (t, 2t, 0), with a constant third column.
const LINE = Float32Array.of(-1, -2, 0, 1, 2, 0, 2, 4, 0, -2, -4, 0)

test('the PCA residual is the squared distance from the plane of the components, a feature', async () => {
  const baseline = fitPca(LINE, 4, 3)
  assert.equal(baseline.name, 'PCA residual')
  // (2, −1) is at right angles to the line: squared distance 5; the constant column counts as it is: 9.
  near(await baseline.score(Float32Array.of(3, 6, 0, 2, -1, 0, 0, 0, 3), 3), [0, 5 / 3, 9 / 3])
})

test('the share of variance decides on the number of components', async () => {
  // Variances 9, 4, 1 (of 14) on three axes.
  const axes = Float32Array.of(3, 0, 0, -3, 0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 1, 0, 0, -1)
  const probe = Float32Array.of(1, 1, 1)
  const residual = (components: number | { variance: number }) =>
    fitPca(axes, 6, 3, { components }).score(probe, 1)
  near(await residual({ variance: 0.6 }), [2 / 3]) // 9/14 = .64
  near(await residual({ variance: 0.7 }), [1 / 3]) // 13/14 = .93
  near(await residual({ variance: 0.95 }), [0])
  near(await residual(1), [2 / 3])
  near(await residual(2), [1 / 3])
})

test('fewer rows than features: training rows have no residual, others have', async () => {
  const d = 40
  const train = Float32Array.from({ length: 3 * d }, (_, i) => Math.sin(i * i))
  const baseline = fitPca(train, 3, d, { components: { variance: 0.999999 } })
  near(await baseline.score(train, 3), [0, 0, 0])
  const probe = Float32Array.from({ length: d }, (_, i) => Math.cos(3 * i * i))
  const [other] = await baseline.score(probe, 1)
  assert.ok(other !== undefined && other > 0.1)
})

test('equal training rows: the residual is the distance from them', async () => {
  near(await fitPca(Float32Array.of(1, 2, 1, 2), 2, 2).score(Float32Array.of(3, 4), 1), [4])
})

test('the residual does not depend on the block that a row is scored or fitted in', async () => {
  const n = 300 // over two blocks of the covariance
  const d = 7
  const rows = Float32Array.from({ length: n * d }, (_, i) => Math.sin(i * i) * ((i % d) + 1))
  const reversed = Float32Array.from({ length: n * d }, (_, i) => {
    const row = n - 1 - Math.floor(i / d)
    return rows[row * d + (i % d)] ?? Number.NaN
  })
  const options = { components: 2 }
  const scores = await fitPca(rows, n, d, options).score(rows, n)
  const part = await fitPca(reversed, n, d, options).score(rows.subarray(d * 150), n - 150)
  near(part, [...scores.subarray(150)])
})

test('PCA equals the residual of a least squares fit on two features', async () => {
  // With d = 2 and one component, n × the smaller eigenvalue of the covariance is the sum of squared residuals.
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
        minLength: 3,
        maxLength: 40,
      }),
      async (points) => {
        const n = points.length
        const rows = Float32Array.from(points.flat())
        const mean = (of: (p: [number, number]) => number) => points.reduce((sum, p) => sum + of(p), 0) / n
        const [mx, my] = [mean((p) => p[0]), mean((p) => p[1])]
        const [xx, yy] = [mean((p) => (p[0] - mx) ** 2), mean((p) => (p[1] - my) ** 2)]
        const xy = mean((p) => (p[0] - mx) * (p[1] - my))
        const smaller = (xx + yy - Math.hypot(xx - yy, 2 * xy)) / 2
        const scores = await fitPca(rows, n, 2, { components: 1 }).score(rows, n)
        near([scores.reduce((a, b) => a + b, 0) / n], [smaller / 2], 1e-9)
      },
    ),
  )
})

test('PCA refuses what it can not do', () => {
  assert.throws(() => fitPca(LINE, 1, 3), /PCA: 1 training rows, expected at least 2/)
  assert.throws(
    () => fitPca(LINE, 4, 3, { components: 3 }),
    /3 components, 4 rows of 3 features allow 1 to 2/,
  )
  assert.throws(() => fitPca(LINE, 4, 3, { components: { variance: 1 } }), /variance 1, expected a share/)
})
