import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { project, sampleByKind } from '../../../src/evaluate/pictures/projection.ts'
import { createRandom } from '../../../src/model/random.ts'

/** Three far groups of 40 points in five dimensions. */
function groups(): Float32Array {
  const random = createRandom(3)
  return Float32Array.from(
    { length: 120 * 5 },
    (_, i) => (i % 5 === Math.floor(i / 200) ? 30 : 0) + random.normal(),
  )
}

for (const method of ['t-SNE', 'UMAP'] as const) {
  test(`${method}: neighbours stay neighbours, and the same seed gives the same layout`, async () => {
    const points = groups()
    const { x, y } = await project(points, 5, method, { seed: 1 })
    for (let i = 0; i < 120; i++) {
      let nearest = -1
      let least = Infinity
      for (let j = 0; j < 120; j++) {
        const distance = (x[i]! - x[j]!) ** 2 + (y[i]! - y[j]!) ** 2
        if (j !== i && distance < least) [least, nearest] = [distance, j]
      }
      assert.equal(Math.floor(nearest / 40), Math.floor(i / 40), `nearest of point ${i}`)
    }
    assert.deepEqual(await project(points, 5, method, { seed: 1 }), { x, y })
  })

  test(`${method}: equal points, one dimension and few points come to a layout`, async () => {
    for (const [points, c] of [
      [new Float32Array(20 * 3).fill(7), 3],
      [Float32Array.from({ length: 15 }, (_, i) => i), 1],
      [Float32Array.from({ length: 12 * 2 }, (_, i) => 1e6 * (i % 7)), 2],
    ] as const) {
      const { x, y } = await project(points, c, method, { seed: 1 })
      assert.equal(x.length, points.length / c)
      assert.ok([...x, ...y].every(Number.isFinite))
    }
  })

  test(`${method}: stops at the signal`, async () => {
    const signal = AbortSignal.abort()
    await assert.rejects(project(groups(), 5, method, { seed: 1, signal }), { name: 'AbortError' })
  })
}

describe('sample', () => {
  test('takes everything where there is room, and rare kinds where there is not', () => {
    const kinds = Int32Array.from({ length: 10_000 }, (_, i) => (i % 500 === 0 ? 1 : 0))
    assert.equal(sampleByKind(kinds.subarray(0, 100), 1000, createRandom(1)).length, 100)
    const rows = sampleByKind(kinds, 1000, createRandom(1))
    assert.equal([...rows].filter((row) => kinds[row] === 1).length, 20, 'all of the rare kind')
    assert.ok(rows.length <= 1040)
    assert.deepEqual(rows, Int32Array.from(new Set(rows)).sort(), 'ascending, none twice')
    assert.deepEqual(sampleByKind(kinds, 1000, createRandom(1)), rows)
  })
})
