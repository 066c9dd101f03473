import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { kMeans, kMeansFrom } from '../../src/model/kmeans.ts'
import { miniBatchKMeans, type RowBlocks } from '../../src/model/minibatch-kmeans.ts'
import { createRandom } from '../../src/model/random.ts'
import { blobs } from './support.ts'

const POINTS = [
  [0, 0],
  [5, 0],
  [0, 5],
  [5, 5],
]

const once = () => ({ restarts: 1, random: createRandom(3) })

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

test('separated blobs are recovered: centres at their means, one cluster each', async () => {
  const n = 100
  const points = blobs(POINTS, n, 0.3, 1)
  const { centres, assignment, inertia } = await kMeans(points, 2, 4, {
    restarts: 5,
    random: createRandom(1),
  })
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

test('assignment and inertia are those of the centres; the same seed gives the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 8, maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 1000 }),
      async (values, k, seed) => {
        const c = 2
        const points = Float32Array.from(values.slice(0, values.length - (values.length % c)))
        const run = () => kMeans(points, c, k, { restarts: 3, random: createRandom(seed) })
        const result = await run()
        let inertia = 0
        for (let i = 0; i < points.length / c; i++) {
          const { squared } = nearest(points, c, result.centres, i)
          inertia += squared
          const given = result.assignment[i]!
          const own = nearest(points, c, result.centres.subarray(given * c, (given + 1) * c), i).squared
          assert.ok(own <= squared + 1e-6, 'assigned to a nearest centre')
        }
        assert.ok(Math.abs(result.inertia - inertia) < 1e-4)
        assert.deepEqual(await run(), result)
      },
    ),
  )
})

test('more restarts are never worse: the first ones are the same', async () => {
  const points = blobs(POINTS, 20, 1.5, 2)
  for (let seed = 0; seed < 10; seed++) {
    const inertia: number[] = []
    for (const restarts of [1, 2, 5, 20]) {
      inertia.push((await kMeans(points, 2, 6, { restarts, random: createRandom(seed) })).inertia)
    }
    assert.deepEqual(
      inertia,
      inertia.toSorted((a, b) => b - a),
    )
  }
})

test('k = n puts a centre on every point', async () => {
  const points = Float32Array.of(0, 0, 1, 0, 0, 1, 7, 7, -3, 2)
  const { centres, assignment, inertia } = await kMeans(points, 2, 5, once())
  assert.ok(inertia < 1e-12)
  assert.equal(new Set(assignment).size, 5)
  assignment.forEach((j, i) => {
    for (let f = 0; f < 2; f++) assert.ok(Math.abs(centres[j * 2 + f]! - points[i * 2 + f]!) < 1e-6)
  })
})

test('fewer distinct points than centres: no error, no NaN, inertia 0', async () => {
  const points = Float32Array.of(1, 1, 1, 1, 1, 1, 2, 2)
  const { centres, inertia } = await kMeans(points, 2, 3, once())
  assert.equal(inertia, 0)
  assert.ok(centres.every(Number.isFinite))
  const equal = await kMeans(new Float32Array(10).fill(3), 1, 4, once())
  assert.equal(equal.inertia, 0)
  assert.deepEqual([...equal.centres], [3, 3, 3, 3])
})

/** Lloyd's iterations in double precision until no point moves, from centres that keep their points. */
function plainLloyd(points: Float32Array, c: number, start: Float32Array) {
  const n = points.length / c
  const k = start.length / c
  const centres = Float64Array.from(start)
  let assignment: number[] = []
  const inertias: number[] = []
  for (;;) {
    const found = Array.from({ length: n }, (_, i) => nearest(points, c, Float32Array.from(centres), i))
    inertias.push(found.reduce((sum, { squared }) => sum + squared, 0))
    const next = found.map(({ j }) => j)
    if (next.every((j, i) => j === assignment[i])) return { centres, assignment, inertias }
    assignment = next
    for (let j = 0; j < k; j++) {
      const own = assignment.flatMap((of, i) => (of === j ? [i] : []))
      assert.ok(own.length > 0, 'the start keeps every centre in use')
      for (let f = 0; f < c; f++) {
        centres[j * c + f] = own.reduce((sum, i) => sum + points[i * c + f]!, 0) / own.length
      }
    }
  }
}

test('equals plain Lloyd in double precision from the same start', async () => {
  for (const [seed, offset] of [
    [3, 0],
    [4, 1000],
  ] as const) {
    // An offset far above the spread would drown the distances of an uncentred Gemm.
    const points = blobs(POINTS, 60, 1.2, seed).map((v) => v + offset)
    const start = points.slice(0, 5 * 2)
    const expected = plainLloyd(points, 2, start)
    const found = await kMeansFrom(points, 2, start)
    const last = expected.inertias.at(-1)!
    // It may stop a little earlier, when the centres stand nearly still.
    assert.ok(Math.abs(found.inertia / last - 1) < 1e-4, `${found.inertia}, expected ${last}`)
    const moved = expected.assignment.filter((j, i) => found.assignment[i] !== j).length
    assert.ok(moved <= 2, `${moved} points elsewhere`)
    found.centres.forEach((v, i) => {
      assert.ok(Math.abs(v - expected.centres[i]!) < 0.02)
    })
  }
})

/** Below it single precision loses digits, and at last everything. */
const LEAST_SINGLE = 2 ** -126

test('Lloyd never raises the inertia of its start', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 12, maxLength: 90 }),
      fc.integer({ min: 1, max: 4 }),
      async (values, k) => {
        const points = Float32Array.from(values.slice(0, values.length - (values.length % 3)))
        const start = points.slice(0, k * 3)
        let before = 0
        for (let i = 0; i < points.length / 3; i++) before += nearest(points, 3, start, i).squared
        const { inertia } = await kMeansFrom(points, 3, start)
        // Squared distances are differences of squares, in single precision.
        const rounding = points.length * 1e-6 * Math.max(...points.map((v) => v * v)) + LEAST_SINGLE
        assert.ok(inertia <= before * (1 + 1e-5) + rounding, `${inertia} after ${before}`)
      },
    ),
    { numRuns: 50 },
  )
})

test('a centre without points moves to the point farthest from its own', async () => {
  const points = Float32Array.of(0, 1, 2, 100)
  // The second centre is nearest to none; 100 is farthest from the first.
  const { centres, assignment, inertia } = await kMeansFrom(points, 1, Float32Array.of(1, -500))
  assert.deepEqual([...assignment], [0, 0, 0, 1])
  assert.ok(Math.abs(centres[0]! - 1) < 1e-5 && Math.abs(centres[1]! - 100) < 1e-5)
  assert.ok(Math.abs(inertia - 2) < 1e-4)
})

test('what makes no sense is refused by name', async () => {
  const refuse = (points: Float32Array, c: number, k: number, restarts: number, message: string) =>
    assert.rejects(kMeans(points, c, k, { restarts, random: createRandom(1) }), {
      name: 'RangeError',
      message,
    })
  const two = Float32Array.of(1, 2)
  await refuse(two, 1, 3, 1, 'k-means needs at least k points: 2 points, k = 3')
  await refuse(two, 1, 1, 0, 'k-means: 0 restarts, expected a whole number of at least 1')
  await refuse(two, 1, 1.5, 1, 'k-means: 1.5 centres, expected a whole number of at least 1')
  await refuse(two, 3, 1, 1, 'k-means: 2 values are no rows of 3')
  const message = 'k-means: row 1, feature 0 is NaN; every value must be finite'
  await refuse(Float32Array.of(1, 2, Number.NaN, 4), 2, 1, 1, message)
})

/** Blocks of uneven sizes in one buffer that is used again, as training reads them. */
async function* blocksOf(points: Float32Array, c: number, sizes: readonly number[]): RowBlocks {
  const buffer = new Float32Array(Math.max(...sizes) * c)
  for (let first = 0, b = 0; first * c < points.length; b++) {
    const n = Math.min(sizes[b % sizes.length]!, points.length / c - first)
    buffer.set(points.subarray(first * c, (first + n) * c))
    yield { x: buffer, n }
    first += n
  }
}

test('mini-batches end close to Lloyd on the same rows', async () => {
  const points = blobs(POINTS, 8000, 0.8, 5) // more rows than the sample that they start from
  shuffleRows(points, 2)
  const read = () => blocksOf(points, 2, [1000, 137, 4096])
  const found = await miniBatchKMeans(read, 2, 4, { restarts: 3, random: createRandom(5) })
  let inertia = 0
  for (let i = 0; i < points.length / 2; i++) inertia += nearest(points, 2, found.centres, i).squared
  const lloyd = await kMeans(points, 2, 4, { restarts: 3, random: createRandom(5) })
  assert.ok(inertia / lloyd.inertia - 1 < 1e-3, `${inertia}, Lloyd ${lloyd.inertia}`)
  assert.ok(Math.abs(found.inertia / inertia - 1) < 1e-2)
})

test('mini-batches: one centre is the mean of all rows, however they come', async () => {
  const points = Float32Array.of(0, 2, 4, 9, 10, 11)
  const { centres } = await miniBatchKMeans(() => blocksOf(points, 1, [1, 4]), 1, 1, once())
  assert.ok(Math.abs(centres[0]! - 6) < 1e-5)
})

test('mini-batches refuse fewer rows than centres and values that are not finite', async () => {
  const run = (points: Float32Array) => miniBatchKMeans(() => blocksOf(points, 1, [2]), 1, 3, once())
  await assert.rejects(run(Float32Array.of(1, 2)), /needs at least k points: 2 points, k = 3/)
  await assert.rejects(run(Float32Array.of(1, 2, Infinity, 4)), /row 2, feature 0 is Infinity/)
})

function shuffleRows(points: Float32Array, c: number): void {
  const order = Int32Array.from({ length: points.length / c }, (_, i) => i)
  createRandom(1).shuffle(order)
  const kept = points.slice()
  order.forEach((from, to) => {
    points.set(kept.subarray(from * c, (from + 1) * c), to * c)
  })
}
