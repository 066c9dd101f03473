/** The two baselines by distance: k-means and kNN. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fitKMeans } from '../../../src/evaluate/baselines/kmeans.ts'
import { fitKnn } from '../../../src/evaluate/baselines/knn.ts'
import { near } from './near.ts'

/** Four points around each of two centres, (0, 0) and (10, 10), and a constant column. */
const CLOUDS = Float32Array.from([0, 10].flatMap((c) => [c - 1, c, 5, c + 1, c, 5, c, c - 1, 5, c, c + 1, 5]))

test('the k-means distance is that to the nearest centre', async () => {
  const baseline = await fitKMeans(CLOUDS, 8, 3, { k: 2 })
  assert.equal(baseline.name, 'k-means distance')
  const probes = Float32Array.of(0, 0, 5, 10, 13, 5, 10, 10, 1, 3, 4, 5)
  near(await baseline.score(probes, 4), [0, 3, 4, 5])
})

test('same seed, same centres', async () => {
  const n = 500
  const d = 3
  const rows = Float32Array.from({ length: n * d }, (_, i) => Math.sin(i * i))
  const scores = async (seed: number) => (await fitKMeans(rows, n, d, { k: 9, seed })).score(rows, n)
  assert.deepEqual(await scores(3), await scores(3))
})

test('more centres than distinct rows: as many centres as there are distinct rows', async () => {
  const twice = Float32Array.of(1, 1, 1, 1, 4, 5, 4, 5)
  const scores = async (n: number) => (await fitKMeans(twice, n, 2)).score(twice, 4)
  near(await scores(4), [0, 0, 0, 0])
  near(await scores(2), [0, 0, 5, 5])
  near(await scores(1), [0, 0, 5, 5])
})

test('k-means refuses a number of centres that is none', async () => {
  await assert.rejects(fitKMeans(CLOUDS, 8, 3, { k: 0 }), /k-means: 0 centres/)
})

/** Mean distance to the nearest five, or all where there are fewer, one after the other. */
function plainKnn(train: readonly number[][], rows: readonly number[][]): number[] {
  return rows.map((row) => {
    const distances = train.map((other) => Math.hypot(...row.map((v, j) => v - (other[j] ?? Number.NaN))))
    const nearest = distances.sort((a, b) => a - b).slice(0, 5)
    return nearest.reduce((a, b) => a + b, 0) / nearest.length
  })
}

test('kNN is the mean distance to the five nearest training rows', async () => {
  const coordinate = fc.double({ min: -4, max: 5, noNaN: true }).map(Math.fround)
  const matrix = fc.integer({ min: 1, max: 6 }).chain((d) => {
    const row = fc.array(coordinate, { minLength: d, maxLength: d })
    const train = fc.array(row, { minLength: 1, maxLength: 40 })
    return fc.record({ d: fc.constant(d), train, rows: fc.array(row, { minLength: 1, maxLength: 20 }) })
  })
  await fc.assert(
    fc.asyncProperty(matrix, async ({ d, train, rows }) => {
      const baseline = await fitKnn(Float32Array.from(train.flat()), train.length, d)
      const scores = await baseline.score(Float32Array.from(rows.flat()), rows.length)
      await baseline.release()
      // The Gemm in single precision may take one of two neighbours whose squares differ in their sixth digit.
      near(scores, plainKnn(train, rows), 2e-3)
    }),
    { numRuns: 40 },
  )
})

test('kNN: rows that repeat training rows have no distance, far from zero too', async () => {
  const d = 4
  const train = Float32Array.from({ length: 6 * d }, (_, i) => 1000 + (i % d))
  const baseline = await fitKnn(train, 6, d)
  near(await baseline.score(train, 6), [0, 0, 0, 0, 0, 0])
  await baseline.release()
})

test('kNN takes more rows than a block of distances holds', async () => {
  const [n, d, count] = [20_000, 2, 1000] // blocks of 419 rows
  const train = Float32Array.from({ length: n * d }, (_, i) => Math.floor(i / d) % 4000)
  const rows = Float32Array.from({ length: count * d }, (_, i) => Math.floor(i / d) + (i % d))
  const baseline = await fitKnn(train, n, d)
  // Each training point is there five times, (i, i); the row is (i, i + 1).
  near(await baseline.score(rows, count), new Float64Array(count).fill(1))
  await baseline.release()
})
