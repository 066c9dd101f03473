import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { silhouette } from '../../src/evaluate/silhouette.ts'
import { createRandom } from '../../src/model/random.ts'
import { golden } from './golden.ts'

const options = { random: createRandom(1) }

test('the silhouette equals that of scikit-learn', async () => {
  for (const { name, points, features, start, silhouette: expected } of golden.baselines) {
    const found = await silhouette(Float32Array.from(points), features, start, options)
    assert.ok(
      found.mean !== null && Math.abs(found.mean - expected) < 1e-6,
      `${name}: ${found.mean}, ${expected}`,
    )
    assert.deepEqual([found.rows, found.sampled], [start.length, false])
  }
})

/** Straight from the definition. */
function byHand(points: number[][], assignment: number[]): number {
  const widths = points.map((point, i) => {
    const means = new Map<number, number>()
    for (const cluster of new Set(assignment)) {
      const others = points.filter((_, j) => j !== i && assignment[j] === cluster)
      const distances = others.map((other) => Math.hypot(...other.map((x, f) => x - (point[f] as number))))
      if (others.length > 0) means.set(cluster, distances.reduce((a, b) => a + b) / others.length)
    }
    const own = assignment[i] as number
    const a = means.get(own)
    const b = Math.min(...[...means].flatMap(([cluster, mean]) => (cluster === own ? [] : [mean])))
    return a === undefined || Math.max(a, b) === 0 ? 0 : (b - a) / Math.max(a, b)
  })
  return widths.reduce((a, b) => a + b) / widths.length
}

test('by the definition on any rows: equal rows, clusters of one, gaps in the numbering', async () => {
  const rows = fc.array(
    fc.record({
      point: fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 2, maxLength: 2 }),
      cluster: fc.constantFrom(0, 2, 3),
    }),
    { minLength: 3, maxLength: 24 },
  )
  await fc.assert(
    fc.asyncProperty(rows, async (drawn) => {
      const points = drawn.map(({ point }) => point)
      const assignment = drawn.map(({ cluster }) => cluster)
      const { mean } = await silhouette(Float32Array.from(points.flat()), 2, assignment, options)
      const used = new Set(assignment).size
      if (used < 2 || used === drawn.length) assert.equal(mean, null)
      else {
        assert.ok(mean !== null && Math.abs(mean) <= 1)
        assert.ok(Math.abs(mean - byHand(points, assignment)) < 1e-6, `${mean}`)
      }
    }),
    { numRuns: 60 },
  )
})

test('undefined for one cluster, for rows that all stand alone, and for one row', async () => {
  const points = Float32Array.of(0, 1, 2)
  assert.equal((await silhouette(points, 1, [0, 0, 0], options)).mean, null)
  assert.equal((await silhouette(points, 1, [0, 1, 2], options)).mean, null)
  assert.equal((await silhouette(points.subarray(0, 1), 1, [0], options)).mean, null)
  await assert.rejects(
    silhouette(points, 1, [0, 1], options),
    /3 values, expected 2 assigned rows × 1 features/,
  )
})

test('above the limit a sample stands for the rows, and says so', async () => {
  const random = createRandom(5)
  const n = 4000
  const assignment = Int32Array.from({ length: n }, () => random.integer(2))
  const points = Float32Array.from(
    { length: 2 * n },
    (_, at) => random.normal() + 3 * (assignment[at >> 1] as number),
  )
  const all = await silhouette(points, 2, assignment, options)
  const some = await silhouette(points, 2, assignment, { random: createRandom(6), mostRows: 1000 })
  assert.deepEqual([some.rows, some.sampled, all.sampled], [1000, true, false])
  assert.ok(Math.abs((some.mean as number) - (all.mean as number)) < 0.03, `${some.mean}, ${all.mean}`)
  const again = await silhouette(points, 2, assignment, { random: createRandom(6), mostRows: 1000 })
  assert.equal(again.mean, some.mean)
})
