import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ward } from '../../src/evaluate/agglomerative.ts'
import { adjustedRandIndex } from '../../src/evaluate/clustering.ts'
import { golden } from './golden.ts'

test("Ward's clusters are those of scikit-learn", async () => {
  for (const { name, points, features, ward: expected } of golden.baselines) {
    for (const [k, labels] of Object.entries(expected)) {
      const found = await ward(Float32Array.from(points), features, Number(k))
      assert.equal(adjustedRandIndex(found, labels), 1, `${name}, ${k} clusters`)
    }
  }
})

/** Always joins the two clusters whose union adds least to the sum of squares, found by looking at all pairs. */
function greedy(points: number[], k: number): number[] {
  let clusters = points.map((_, i) => [i])
  const squares = (members: number[]) => {
    const mean = members.reduce((sum, i) => sum + (points[i] as number), 0) / members.length
    return members.reduce((sum, i) => sum + ((points[i] as number) - mean) ** 2, 0)
  }
  while (clusters.length > k) {
    let best: { a: number[]; b: number[]; cost: number } | null = null
    for (const [i, a] of clusters.entries()) {
      for (const b of clusters.slice(i + 1)) {
        const cost = squares([...a, ...b]) - squares(a) - squares(b)
        if (best === null || cost < best.cost) best = { a, b, cost }
      }
    }
    if (best === null) break
    const { a, b } = best
    clusters = [...clusters.filter((cluster) => cluster !== a && cluster !== b), [...a, ...b]]
  }
  const assignment = new Array<number>(points.length).fill(0)
  for (const [number, members] of clusters.entries()) for (const i of members) assignment[i] = number
  return assignment
}

test('the chain leaves what a greedy search over all pairs leaves', async () => {
  // Irregular gaps and a fixed seed: where two unions cost the same there is more than one answer.
  const rows = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 2, maxLength: 14 })
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 1, max: 4 }), async (drawn, k) => {
      const points = drawn.map((x) => Math.fround(x + Math.sin(x) / 3))
      const clusters = Math.min(k, points.length)
      const found = await ward(Float32Array.from(points), 1, clusters)
      assert.equal(new Set(found).size, clusters)
      assert.equal(adjustedRandIndex(found, greedy(points, clusters)), 1)
    }),
    { numRuns: 80, seed: 8 },
  )
})

test('equal rows, one row, as many clusters as rows; the rest is refused', async () => {
  assert.deepEqual([...(await ward(new Float32Array(12).fill(2), 2, 1))], [0, 0, 0, 0, 0, 0])
  assert.equal(new Set(await ward(new Float32Array(12).fill(2), 2, 3)).size, 3)
  assert.deepEqual([...(await ward(Float32Array.of(1, 2), 2, 1))], [0])
  assert.deepEqual([...(await ward(Float32Array.of(5, 1, 3), 1, 3))], [0, 1, 2])
  await assert.rejects(ward(Float32Array.of(5, 1, 3), 1, 4), /3 rows can't leave 4 clusters/)
  await assert.rejects(ward(Float32Array.of(5, 1, 3), 1, 2, { mostRows: 2 }), /at most 2 rows; got 3/)
})
