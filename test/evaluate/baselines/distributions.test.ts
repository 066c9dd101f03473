/** The baselines by the distribution of each feature: isolation forest, ECOD, z-score. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fitEcod } from '../../../src/evaluate/baselines/ecod.ts'
import { fitIsolationForest } from '../../../src/evaluate/baselines/isolation-forest.ts'
import { fitZScore } from '../../../src/evaluate/baselines/z-score.ts'
import { createRandom } from '../../../src/model/random.ts'
import { near } from './near.ts'

const EULER = 0.5772156649015329
/** Equation 1 of Liu et al. 2008, c(n), with the harmonic number summed. */
const meanPath = (n: number): number => {
  if (n < 3) return n - 1
  return 2 * (Math.log(n - 1) + EULER) - (2 * (n - 1)) / n
}

test('two rows are isolated by one split: every path has length 1', async () => {
  const forest = fitIsolationForest(Float32Array.of(0, 7, 1, 7), 2, 2)
  assert.equal(forest.name, 'isolation forest')
  // c(2) = 1, so the score is 2^−1; the constant feature is never split on.
  near(await forest.score(Float32Array.of(0, 7, 5, -100), 2), [0.5, 0.5])
})

test('equal rows can not be split: every path is that of an unsuccessful search', async () => {
  const forest = fitIsolationForest(new Float32Array(30).fill(3), 10, 3)
  near(await forest.score(Float32Array.of(3, 3, 3, 9, 9, 9), 2), [0.5, 0.5])
})

test('three rows on a line: mean path lengths are those of all possible trees', async () => {
  // 0, 1, 4: the first split falls into (0, 1) with probability 1/4, which isolates 0 at depth 1, and the others at 2.
  const forest = fitIsolationForest(Float32Array.of(0, 1, 4), 3, 1)
  const expected = [0.25 * 1 + 0.75 * 2, 2, 0.75 * 1 + 0.25 * 2].map((path) => 2 ** (-path / meanPath(3)))
  // 200 trees: the mean path length is known to about .03.
  near(await forest.score(Float32Array.of(0, 1, 4), 3), expected, 0.05)
})

test('a far row is isolated sooner than one within; a seed fixes the forest', async () => {
  const random = createRandom(5)
  const [n, d] = [1000, 6]
  const train = Float32Array.from({ length: n * d }, () => random.normal())
  const probes = Float32Array.from({ length: 3 * d }, (_, i) => [0, 2, 8][Math.floor(i / d)] ?? 0)
  const scores = await fitIsolationForest(train, n, d, 1).score(probes, 3)
  const [within = 1, edge = 0, far = 0] = scores
  assert.ok(within < 0.45 && edge > within && far > 0.65, `${scores}`)
  assert.deepEqual(await fitIsolationForest(train, n, d, 1).score(probes, 3), scores)
  assert.notDeepEqual(await fitIsolationForest(train, n, d, 2).score(probes, 3), scores)
})

/** Algorithm 1 of Li et al. 2022 as it stands, on the training rows and the row itself. */
function plainEcod(train: readonly number[][], row: readonly number[]): number {
  const sums = [0, 0, 0]
  row.forEach((x, j) => {
    const column = train.map((other) => other[j] ?? Number.NaN)
    const mean = column.reduce((a, b) => a + b, 0) / column.length
    const skewness = column.reduce((sum, v) => sum + (v - mean) ** 3, 0)
    const share = (count: number) => -Math.log((count + 1) / (column.length + 1))
    const left = share(column.filter((v) => v <= x).length)
    const right = share(column.filter((v) => v >= x).length)
    sums[0] = (sums[0] ?? 0) + left
    sums[1] = (sums[1] ?? 0) + right
    sums[2] = (sums[2] ?? 0) + (skewness < 0 ? left : right)
  })
  return Math.max(...sums)
}

test('ECOD equals the published algorithm', async () => {
  // Few distinct values, so that ties are common; binary fractions, so that the mean is exact.
  const value = fc.integer({ min: -4, max: 4 }).map((i) => i / 4)
  const row = fc.array(value, { minLength: 3, maxLength: 3 })
  const train = fc.array(row, { minLength: 1, maxLength: 32 })
  await fc.assert(
    fc.asyncProperty(train, fc.array(row, { minLength: 1, maxLength: 8 }), async (rows, probes) => {
      const ecod = fitEcod(Float32Array.from(rows.flat()), rows.length, 3)
      assert.equal(ecod.name, 'ECOD')
      const scores = await ecod.score(Float32Array.from(probes.flat()), probes.length)
      near(
        scores,
        probes.map((probe) => plainEcod(rows, probe)),
        1e-9,
      )
    }),
  )
})

test('the largest z-score is that of the strangest feature; a constant that moves a little is not strange', async () => {
  // Mean 0 and deviation 2; constant 1.
  const baseline = fitZScore(Float32Array.of(-2, 1, 2, 1), 2, 2)
  assert.equal(baseline.name, 'largest z-score')
  near(await baseline.score(Float32Array.of(0, 1, -6, 1, 2, 1.02, 0, 2), 4), [0, 3, 2, 100], 1e-4)
})
