import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNetwork, type Network } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import type { Scaler } from '../../src/model/scaler.ts'
import { Scorer, type Scores } from '../../src/model/scorer.ts'
import { EVIDENCE, type Profiles, scoringGraph } from '../../src/model/scoring.ts'
import { activations, type Parameters, softAssignment, squaredDistances, toParameters } from './reference.ts'
import { identityScaler, randomLayers } from './support.ts'

interface Model {
  network: Network
  parameters: Parameters
  scaler: Scaler
  profiles: Profiles
  k: number
  graph: Uint8Array
}

function randomModel(d: number, hidden: number[], code: number, k: number, seed: number): Model {
  const random = createRandom(seed)
  const network = createNetwork(d, hidden, code)
  const layers = randomLayers(network, random)
  const centres = Float32Array.from({ length: k * code }, () => 0.5 * random.normal())
  const size = 3 * d
  const scaler: Scaler = {
    nodes: ['a', 'b'],
    features: d,
    transforms: Array.from({ length: d }, (_, f) => (f % 4 === 1 ? 'log1p' : 'none')),
    lo: Float64Array.from({ length: size }, () => 0.3 * random.normal()),
    range: Float64Array.from({ length: size }, () => 0.5 + random.uniform()),
    mean: Float32Array.from({ length: size }, () => random.uniform()),
  }
  const profiles: Profiles = {
    mean: Float32Array.from({ length: k * d }, () => random.uniform()),
    variance: Float32Array.from({ length: d }, () => 0.1 * random.uniform()),
    residual: Float32Array.from({ length: d }, () => 0.1 * random.uniform()),
  }
  const graph = scoringGraph(network, layers, centres, scaler, profiles)
  return { network, parameters: toParameters(layers, centres), scaler, profiles, k, graph }
}

function randomWindows(d: number, n: number, seed: number): { values: Float64Array; node: Int32Array } {
  const random = createRandom(seed)
  return {
    values: Float64Array.from({ length: n * d }, () => {
      const kind = random.uniform()
      if (kind < 0.08) return Number.NaN
      return kind < 0.12 ? 40 * random.normal() : random.uniform()
    }),
    node: Int32Array.from({ length: n }, (_, i) => i % 3),
  }
}

/** One window scored by the formulas, in double precision. */
function scoreWindow(model: Model, raw: Float64Array, node: number) {
  const { network, parameters, scaler, profiles, k } = model
  const d = raw.length
  const at = (f: number): number => node * d + f
  const isLog = (f: number): boolean => scaler.transforms[f] === 'log1p'
  const missing = Array.from(raw, Number.isNaN)
  const scaled = Float64Array.from(raw, (v, f) => {
    if (missing[f]) return scaler.mean[at(f)]!
    const value = isLog(f) ? Math.log1p(Math.max(v, 0)) : v
    return Math.min(5, Math.max(-4, (value - scaler.lo[at(f)]!) / scaler.range[at(f)]!))
  })
  const outputs = activations(network, parameters, scaled)
  const code = outputs[network.codeLayer - 1]!
  const y = outputs.at(-1)!
  const squared = Array.from(y, (v, f) => (missing[f] ? 0 : (v - scaled[f]!) ** 2))
  const expected = Array.from(y, (v, f) => {
    const value = v * scaler.range[at(f)]! + scaler.lo[at(f)]!
    return isLog(f) ? Math.max(0, Math.exp(value) - 1) : value
  })
  const standardised = squared.map((v, f) => v / (profiles.residual[f]! + 1e-6))
  const largest = standardised.toSorted((a, b) => b - a).slice(0, 5)
  const residual = largest.reduce((a, b) => a + b, 0) / largest.length
  const present = missing.filter((m) => !m).length
  const terms = Array.from({ length: k }, (_, j) =>
    Array.from(scaled, (v, f) =>
      missing[f] ? 0 : (v - profiles.mean[j * d + f]!) ** 2 / (profiles.variance[f]! + 1e-4),
    ),
  )
  const sums = terms.map((row) => row.reduce((a, b) => a + b, 0))
  const nearest = sums.indexOf(Math.min(...sums))
  const total = standardised.reduce((a, b) => a + b, 0)
  return {
    code: [...code],
    q: softAssignment(code, parameters.centres),
    distances: squaredDistances(code, parameters.centres).map(Math.sqrt),
    scaled: [...scaled],
    squared,
    expected,
    clipped: scaled.filter((v) => v <= -4 || v >= 5).length,
    evidence: [Math.log(residual + 1e-9), Math.log(sums[nearest]! / present + 1e-9)],
    contribution: standardised.map((v, f) => (v / total + terms[nearest]![f]! / sums[nearest]!) / 2),
  }
}

/** Single precision through three products: 1e-5 of the values, which lie below 10 but for the codes' tails. */
function assertNear(
  actual: ArrayLike<number>,
  at: number,
  expected: number[],
  relative: number,
  what: string,
): void {
  expected.forEach((value, i) => {
    const found = actual[at + i]!
    assert.ok(
      Math.abs(found - value) <= relative * (1 + Math.abs(value)),
      `${what}[${i}]: ${found}, expected ${value}`,
    )
  })
}

for (const [d, hidden, code, k] of [
  [7, [6, 5], 3, 4],
  [3, [4], 2, 2],
  [40, [24, 12], 6, 8],
] as [number, number[], number, number][]) {
  test(`all outputs equal the formulas in double precision, d = ${d}`, async () => {
    const model = randomModel(d, hidden, code, k, d)
    const scorer = await Scorer.create(model.graph, d)
    const n = 60
    const { values, node } = randomWindows(d, n, 31)
    const scores = await scorer.score(values, node, n)
    await scorer.release()
    assert.equal(scores.evidence.length, n * EVIDENCE.length)
    for (let i = 0; i < n; i++) {
      const raw = values.slice(i * d, (i + 1) * d)
      if (raw.every(Number.isNaN)) continue // never scored
      const expected = scoreWindow(model, raw, node[i]!)
      assertNear(scores.code, i * code, expected.code, 1e-5, 'code')
      assertNear(scores.q, i * k, expected.q, 1e-5, 'q')
      assertNear(scores.scaled, i * d, expected.scaled, 1e-6, 'scaled')
      assertNear(scores.squaredResidual, i * d, expected.squared, 2e-5, 'squared residual')
      assertNear(scores.expected, i * d, expected.expected, 1e-4, 'expected')
      assertNear(scores.clipped, i, [expected.clipped], 0, 'clipped')
      // A relative error of 1e-5 in the mean is 1e-5 in its logarithm.
      assertNear(scores.evidence, i * 2, expected.evidence, 3e-5, 'evidence')
      assertNear(scores.contribution, i * d, expected.contribution, 3e-5, 'contribution')
      const sum = scores.contribution.subarray(i * d, (i + 1) * d).reduce((a, b) => a + b, 0)
      assert.ok(Math.abs(sum - 1) < 1e-4, `contributions sum to ${sum}`)
    }
  })
}

test('a missing feature has no residual, no contribution, and does not move the evidence by its value', async () => {
  const d = 7
  const model = randomModel(d, [6, 5], 3, 4, 2)
  const scorer = await Scorer.create(model.graph, d)
  const whole = Float64Array.from({ length: d }, (_, f) => 0.1 * f)
  const values = new Float64Array(d * d)
  for (let i = 0; i < d; i++) {
    values.set(whole, i * d)
    values[i * d + i] = Number.NaN
  }
  const scores = await scorer.score(values, new Int32Array(d).fill(1), d)
  await scorer.release()
  for (let i = 0; i < d; i++) {
    assert.equal(scores.squaredResidual[i * d + i], 0)
    assert.equal(scores.contribution[i * d + i], 0)
    assert.equal(scores.scaled[i * d + i], model.scaler.mean[d + i])
    for (let f = 0; f < d; f++) if (f !== i) assert.ok(scores.squaredResidual[i * d + f]! > 0)
  }
})

test('a window that equals its expectation has finite evidence, as has one with nothing but extremes', async () => {
  const d = 2
  const network = createNetwork(d, [], 2)
  const identity = [0, 1].map(() => ({
    weight: Float32Array.of(1, 0, 0, 1),
    bias: new Float32Array(2),
    inputs: 2,
    outputs: 2,
  }))
  const profiles = {
    mean: Float32Array.of(0.5, 0.5),
    variance: new Float32Array(2),
    residual: new Float32Array(2),
  }
  const graph = scoringGraph(network, identity, new Float32Array(2), identityScaler(d), profiles)
  const scorer = await Scorer.create(graph, d)
  const values = Float64Array.of(0.5, 0.5, Infinity, -Infinity, 1e300, -1e300)
  const { evidence, contribution, clipped } = await scorer.score(values, new Int32Array(3), 3)
  await scorer.release()
  assert.deepEqual([...clipped], [0, 2, 2])
  assert.ok([...evidence, ...contribution].every(Number.isFinite))
  assert.ok(Math.abs(evidence[0]! - Math.log(1e-9)) < 1e-3, `${evidence[0]}`)
  // Both lie 4.5 from the profile at a variance of 1e-4: log(4.5² / 1e-4).
  assert.ok(Math.abs(evidence[3]! - Math.log(4.5 ** 2 / 1e-4)) < 1e-3, `${evidence[3]}`)
})

test('without profiles there is no evidence, and a graph refuses rows of another width', async () => {
  const network = createNetwork(3, [4], 2)
  const layers = randomLayers(network, createRandom(1))
  const graph = scoringGraph(network, layers, new Float32Array(4), identityScaler(3), null)
  const scorer = await Scorer.create(graph, 3)
  const { evidence, contribution, q } = await scorer.score(new Float64Array(6), new Int32Array(2), 2)
  assert.deepEqual([evidence.length, contribution.length, q.length], [0, 0, 4])
  await scorer.release()
  const wide = await Scorer.create(graph, 4)
  await assert.rejects(wide.score(new Float64Array(8), new Int32Array(2), 2), /invalid dimensions/)
  await wide.release()
})

const OUTPUTS = [
  'code',
  'q',
  'scaled',
  'squaredResidual',
  'expected',
  'clipped',
  'evidence',
  'contribution',
] as const

/** Largest difference of row `i` of one block from row `j` of another, by output. */
function compareRows(
  a: Scores,
  i: number,
  rowsA: number,
  b: Scores,
  j: number,
  rowsB: number,
  most: Map<string, number>,
): void {
  for (const name of OUTPUTS) {
    const width = Math.floor(b[name].length / Math.max(rowsB, 2))
    assert.equal(Math.floor(a[name].length / Math.max(rowsA, 2)), width)
    let largest = most.get(name) ?? 0
    for (let f = 0; f < width; f++) {
      largest = Math.max(largest, Math.abs(a[name][i * width + f]! - b[name][j * width + f]!))
    }
    most.set(name, largest)
  }
}

async function deviations(d: number): Promise<Map<string, number>> {
  const rows = 980
  const model = randomModel(d, [256, 128], 10, 8, 4)
  const scorer = await Scorer.create(model.graph, d)
  const { values, node } = randomWindows(d, rows, 5)
  const whole = await scorer.score(values, node, rows)
  const most = new Map<string, number>()
  for (const size of [1, 2, 3, 17]) {
    for (let first = 0; first + size <= rows; first += 49) {
      const part = await scorer.score(
        values.subarray(first * d, (first + size) * d),
        node.subarray(first, first + size),
        size,
      )
      for (let i = 0; i < size; i++) compareRows(part, i, size, whole, first + i, rows, most)
    }
  }
  const order = Int32Array.from({ length: rows }, (_, i) => i)
  createRandom(6).shuffle(order)
  const mixed = new Float64Array(rows * d)
  order.forEach((from, to) => {
    mixed.set(values.subarray(from * d, (from + 1) * d), to * d)
  })
  const shuffled = await scorer.score(
    mixed,
    Int32Array.from(order, (from) => node[from]!),
    rows,
  )
  order.forEach((from, to) => {
    compareRows(shuffled, to, rows, whole, from, rows, most)
  })
  await scorer.release()
  return most
}

test('a row scores the same bits alone, in blocks of 2, 3, 17 and 980, and in another order', async () => {
  const most = await deviations(348)
  for (const name of OUTPUTS) assert.equal(most.get(name), 0, name)
})

test('so does its evidence where rows do not start on whole vectors; contributions differ by rounding only', async () => {
  const most = await deviations(347)
  for (const name of OUTPUTS) {
    const limit = name === 'contribution' ? 1e-7 : 0
    assert.ok(most.get(name)! <= limit, `${name}: ${most.get(name)}`)
  }
})

test('scores of any block equal those of its rows', async () => {
  const d = 12
  const model = randomModel(d, [9], 3, 3, 8)
  const scorer = await Scorer.create(model.graph, d)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 1000 }), async (n, seed) => {
      const { values, node } = randomWindows(d, n, seed)
      const { evidence } = await scorer.score(values, node, n)
      for (let i = 0; i < n; i++) {
        const alone = await scorer.score(values.slice(i * d, (i + 1) * d), node.slice(i, i + 1), 1)
        assert.deepEqual([...alone.evidence.subarray(0, 2)], [...evidence.subarray(i * 2, i * 2 + 2)])
      }
    }),
    { numRuns: 30 },
  )
  await scorer.release()
})
