import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNetwork, hasRelu, initialiseLayers, layerSizes, weightCount } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'

test('the network mirrors around the code; code and output are linear', () => {
  const network = createNetwork(460, [500, 500, 2000], 20)
  assert.deepEqual(network, { widths: [460, 500, 500, 2000, 20, 2000, 500, 500, 460], codeLayer: 4 })
  assert.deepEqual(layerSizes(network).slice(2, 5), [
    [500, 2000],
    [2000, 20],
    [20, 2000],
  ])
  assert.equal(weightCount(network), 2 * (460 * 500 + 500 * 500 + 500 * 2000 + 2000 * 20))
  assert.deepEqual(
    layerSizes(network).map((_, l) => hasRelu(network, l)),
    [true, true, true, false, true, true, true, false],
  )
})

function moments(values: Float32Array): { mean: number; deviation: number; kurtosis: number; most: number } {
  const n = values.length
  const mean = values.reduce((a, b) => a + b, 0) / n
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / n
  const fourth = values.reduce((a, b) => a + (b - mean) ** 4, 0) / n
  const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
  return { mean, deviation: Math.sqrt(variance), kurtosis: fourth / variance ** 2, most }
}

test('variance-scaling is uniform with variance 1/(3·inputs), normal-0.01 is N(0, 0.01²), biases are 0', () => {
  const network = createNetwork(200, [300], 50)
  for (const { weight, bias, inputs } of initialiseLayers(network, 'variance-scaling', createRandom(1))) {
    const { mean, deviation, kurtosis, most } = moments(weight)
    const expected = Math.sqrt(1 / (3 * inputs))
    // Five standard errors of the mean; a per cent for the deviation of ≥ 15,000 draws.
    assert.ok(Math.abs(mean) < (5 * expected) / Math.sqrt(weight.length))
    assert.ok(Math.abs(deviation / expected - 1) < 0.02, `${deviation}, expected ${expected}`)
    assert.ok(Math.abs(kurtosis - 1.8) < 0.05, 'that of a uniform distribution')
    assert.ok(most <= Math.fround(Math.sqrt(1 / inputs)))
    assert.ok(bias.every((b) => b === 0))
  }
  for (const { weight, bias } of initialiseLayers(network, 'normal-0.01', createRandom(1))) {
    const { mean, deviation, kurtosis } = moments(weight)
    assert.ok(Math.abs(mean) < 0.05 / Math.sqrt(weight.length))
    assert.ok(Math.abs(deviation / 0.01 - 1) < 0.03)
    assert.ok(Math.abs(kurtosis - 3) < 0.2, 'that of a normal distribution')
    assert.ok(bias.every((b) => b === 0))
  }
})

test('the same seed gives the same layers, another one others', () => {
  const network = createNetwork(6, [5], 3)
  const layers = (seed: number) => initialiseLayers(network, 'variance-scaling', createRandom(seed))
  assert.deepEqual(layers(3), layers(3))
  assert.notDeepEqual(layers(3), layers(4))
})
