import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNetwork } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import { Scorer } from '../../src/model/scorer.ts'
import { EVIDENCE, scoringGraph } from '../../src/model/scoring.ts'
import { activations, softAssignment, squaredDistances } from './formulas.ts'
import { type Model, randomModel, randomWindows } from './random-model.ts'
import { identityScaler, randomLayers } from './support.ts'

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
