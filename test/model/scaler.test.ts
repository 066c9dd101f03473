import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OnnxGraph } from '../../src/model/onnx.ts'
import * as ort from '../../src/model/runtime.ts'
import { addScaling, fitScaler, MIN_NODE_WINDOWS, type Scaler } from '../../src/model/scaler.ts'
import type { Transform } from '../../src/windows/schema.ts'

/** The formula: log1p where asked for, (v − lo) / range, cut to [−4, 5]; the scaled mean where missing. */
function scale(scaler: Scaler, raw: number, row: number, feature: number): number {
  const at = row * scaler.features + feature
  if (Number.isNaN(raw)) return scaler.mean[at]!
  const value = scaler.transforms[feature] === 'log1p' ? Math.log1p(Math.max(raw, 0)) : raw
  return Math.min(5, Math.max(-4, (value - scaler.lo[at]!) / scaler.range[at]!))
}

async function runScaling(
  scaler: Scaler,
  values: Float64Array,
  node: number[],
): Promise<{ scaled: Float32Array; missing: Uint8Array }> {
  const g = new OnnxGraph('scaling')
  const { scaled, missing } = addScaling(g, scaler)
  g.node('Identity', [scaled], {}, 'scaled')
  g.output('scaled', 'float', ['n', scaler.features])
  g.node('Cast', [missing], { to: { int: 1 } }, 'missing')
  g.output('missing', 'float', ['n', scaler.features])
  const session = await ort.InferenceSession.create(g.build())
  const out = await session.run({
    features: new ort.Tensor('float64', values, [node.length, scaler.features]),
    node: new ort.Tensor('int64', BigInt64Array.from(node, BigInt), [node.length]),
  })
  await session.release()
  return {
    scaled: out.scaled?.data as Float32Array,
    missing: Uint8Array.from(out.missing?.data as Float32Array),
  }
}

const value = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -1e4, max: 1e4, noNaN: true }) },
  { weight: 2, arbitrary: fc.constantFrom(Number.NaN, 0, -1, 1e300, -1e300, Infinity, -Infinity, 1e-12) },
)

const arbitraryScaler = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6 }))
  .chain(([nodes, features]) => {
    const size = (nodes + 1) * features
    const list = (arbitrary: fc.Arbitrary<number>) =>
      fc.array(arbitrary, { minLength: size, maxLength: size })
    return fc.record({
      nodes: fc.constant(Array.from({ length: nodes }, (_, i) => `n${i}`)),
      features: fc.constant(features),
      transforms: fc.array(fc.constantFrom<Transform>('none', 'log1p'), {
        minLength: features,
        maxLength: features,
      }),
      lo: list(fc.double({ min: -100, max: 100, noNaN: true })).map((v) => Float64Array.from(v)),
      range: list(fc.double({ min: 1e-3, max: 1e3, noNaN: true })).map((v) => Float64Array.from(v)),
      mean: list(fc.double({ min: 0, max: 1, noNaN: true })).map((v) => Float32Array.from(v)),
    })
  })

test('the graph equals the formula: log1p, missing, clipping, node and unknown node', async () => {
  const windows = arbitraryScaler.chain((scaler) =>
    fc.record({
      scaler: fc.constant(scaler),
      rows: fc.array(
        fc.record({
          node: fc.integer({ min: 0, max: scaler.nodes.length }),
          values: fc.array(value, { minLength: scaler.features, maxLength: scaler.features }),
        }),
        { minLength: 1, maxLength: 8 },
      ),
    }),
  )
  await fc.assert(
    fc.asyncProperty(windows, async ({ scaler, rows }) => {
      const raw = Float64Array.from(rows.flatMap((row) => row.values))
      const { scaled, missing } = await runScaling(
        scaler,
        raw,
        rows.map((row) => row.node),
      )
      raw.forEach((v, i) => {
        const row = rows[Math.floor(i / scaler.features)]!.node
        const expected = scale(scaler, v, row, i % scaler.features)
        // Single precision of values up to 5; log(1 + v) itself may lose 1e-16 over a range of 1e-3.
        assert.ok(Math.abs(scaled[i]! - expected) < 1e-6, `${v}: ${scaled[i]}, expected ${expected}`)
        assert.equal(missing[i], Number.isNaN(v) ? 1 : 0)
      })
    }),
  )
})

const OWN = MIN_NODE_WINDOWS

/** Fits on a node with `count` windows a list; feature values of window i are `at(i)`. */
function fit(
  nodes: { count: number; at: (i: number) => number[] }[],
  transforms: Transform[],
  plain = false,
): Promise<Scaler> {
  const values = nodes.flatMap(({ count, at }) => Array.from({ length: count }, (_, i) => at(i)))
  const node = nodes.flatMap(({ count }, n) => Array<number>(count).fill(n))
  return fitScaler(
    windows(node, values.flat()),
    nodes.map((_, i) => `n${i}`),
    transforms,
    { plain },
  )
}

/** One block of windows of the given nodes. */
async function* windows(node: number[], values: number[]) {
  yield { rows: node.length, node: Int32Array.from(node), values: Float64Array.from(values) }
}

const close = (actual: number | undefined, expected: number): void =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-6, `${actual}, expected ${expected}`)

test('a node with a day of windows gets its own range, one with fewer that of the fleet, as does an unknown one', async () => {
  const scaler = await fit(
    [
      { count: OWN, at: (i) => [10 + (i % 11)] }, // 10 … 20
      { count: OWN - 1, at: (i) => [30 + (i % 31)] }, // 30 … 60
    ],
    ['none'],
  )
  assert.deepEqual([...scaler.lo], [10, 10, 10])
  assert.deepEqual([...scaler.range], [50, 10, 50])
  const mean = (count: number, at: (i: number) => number): number =>
    Array.from({ length: count }, (_, i) => at(i)).reduce((a, b) => a + b, 0) / count
  close(scaler.mean[1], (mean(OWN, (i) => 10 + (i % 11)) - 10) / 10)
  const fleet =
    (OWN * mean(OWN, (i) => 10 + (i % 11)) + (OWN - 1) * mean(OWN - 1, (i) => 30 + (i % 31))) / (2 * OWN - 1)
  close(scaler.mean[0], (fleet - 10) / 50)
  close(scaler.mean[2], (fleet - 10) / 50)
})

test('a feature that a node never has comes from the fleet; one that no node has stays at lo 0, range 1, mean 0', async () => {
  const scaler = await fit(
    [
      { count: OWN, at: (i) => [i, Number.NaN, i % 2 === 0 ? Number.NaN : 4] },
      { count: OWN, at: () => [Number.NaN, Number.NaN, 8] },
    ],
    ['none', 'none', 'none'],
  )
  const at = (row: number, f: number) => [scaler.lo[row * 3 + f], scaler.range[row * 3 + f]]
  assert.deepEqual(at(2, 0), at(0, 0))
  assert.deepEqual(at(0, 0), [0, OWN - 1])
  for (const row of [0, 1, 2]) {
    assert.deepEqual(at(row, 1), [0, 1])
    assert.equal(scaler.mean[row * 3 + 1], 0)
  }
  assert.equal(scaler.lo[1 * 3 + 2], 4)
  assert.equal(scaler.lo[2 * 3 + 2], 8)
  close(scaler.mean[1 * 3 + 2], 0)
})

test('no range below a quarter of the median node, nor below a thousandth of the magnitude', async () => {
  const width = (w: number) => ({ count: OWN, at: (i: number) => [1 + w * (i % 2), 200_000 + (i % 2)] })
  const scaler = await fit([width(0.1), width(8), width(16)], ['none', 'none'])
  const range = (row: number, f: number): number | undefined => scaler.range[row * 2 + f]
  close(range(1, 0), 2) // a quarter of 8
  close(range(2, 0), 8)
  close(range(3, 0), 16)
  for (const row of [0, 1, 2, 3]) close(range(row, 1), 200.001)
})

test('log1p is applied before the extent is taken, negative values count as 0', async () => {
  const scaler = await fit([{ count: 3, at: (i) => [[-5, Math.E - 1, Math.E ** 3 - 1][i]!] }], ['log1p'])
  close(scaler.lo[0], 0)
  close(scaler.range[0], 3)
  close(scaler.mean[0], 4 / 3 / 3)
})

test('plain is scikit-learn’s MinMaxScaler: one range over all rows, 1 where there is none, no floors', async () => {
  const nodes = [
    { count: OWN, at: (i: number) => [i / 10, 7, 1e6 + (i % 3)] },
    { count: OWN, at: (i: number) => [-i, 7, 1e6] },
  ]
  const transforms: Transform[] = ['none', 'none', 'none']
  const scaler = await fit(nodes, transforms, true)
  for (const row of [0, 1, 2]) {
    assert.deepEqual([...scaler.lo.subarray(row * 3, row * 3 + 3)], [-(OWN - 1), 7, 1e6])
    assert.deepEqual([...scaler.range.subarray(row * 3, row * 3 + 3)], [(OWN - 1) / 10 + (OWN - 1), 1, 2])
  }
  const { scaled } = await runScaling(scaler, Float64Array.of((OWN - 1) / 10, 7, 1e6 + 1), [2])
  assert.deepEqual([...scaled], [1, 0, 0.5])
})
