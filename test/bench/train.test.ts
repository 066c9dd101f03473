import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encoderGraph, productGraph, stepProductsGraph } from '../../src/bench/graphs.ts'
import { measure } from '../../src/bench/measure.ts'
import { benchTraining, ENCODER_BATCHES } from '../../src/bench/train.ts'
import { isTransposed } from '../../src/model/graphs.ts'
import { createNetwork, encoderOf, type Layer, weightCount } from '../../src/model/network.ts'
import { createRandom, type Random } from '../../src/model/random.ts'
import * as ort from '../../src/model/runtime.ts'
import { Encoder } from '../../src/model/trainer.ts'
import { randomLayers } from '../model/support.ts'

const signal = new AbortController().signal

function uniform(n: number, random: Random): Float32Array {
  return Float32Array.from({ length: n }, () => random.uniform())
}

async function run(graph: Uint8Array, feeds: Record<string, ort.Tensor>): Promise<Record<string, number[]>> {
  const session = await ort.InferenceSession.create(graph)
  const results = Object.entries(await session.run(feeds))
  await session.release()
  return Object.fromEntries(results.map(([name, { data }]) => [name, Array.from(data as Float32Array)]))
}

function matrix(values: Float32Array, rows: number): ort.Tensor {
  return new ort.Tensor('float32', values, [rows, values.length / rows])
}

/** Row-major product of a (m × k) and b (k × n), either of them given transposed. */
function product(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  [m, k, n]: [number, number, number],
  transposed: { a?: boolean; b?: boolean } = {},
): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    let sum = 0
    for (let p = 0; p < k; p++) {
      sum += a[transposed.a ? p * m + i : i * k + p]! * b[transposed.b ? j * k + p : p * n + j]!
    }
    return sum
  })
}

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(actual.length, expected.length)
  for (let i = 0; i < expected.length; i++) {
    assert.ok(Math.abs(actual[i]! - expected[i]!) < 1e-5, `[${i}]: ${actual[i]}, expected ${expected[i]}`)
  }
}

test('the peak is that of a whole product', async () => {
  const random = createRandom(1)
  const [x, constant] = [uniform(3 * 4, random), uniform(4 * 5, random)]
  const { y } = await run(productGraph(3, constant, 4, 5), { x: matrix(x, 3) })
  assertNear(y!, product(x, constant, [3, 4, 5]))
})

test('the products of a step are those of a linear network: forward, of the errors, of the gradients', async () => {
  const network = createNetwork(4, [5], 2)
  const random = createRandom(2)
  const layers = randomLayers(network, random)
  const n = 3
  const x = uniform(n * 4, random)
  const feeds: Record<string, ort.Tensor> = { x: matrix(x, n) }
  const stored = layers.map(({ weight, inputs, outputs }) =>
    isTransposed(inputs, outputs)
      ? Float32Array.from(
          { length: weight.length },
          (_, i) => weight[(i % inputs) * outputs + Math.floor(i / inputs)]!,
        )
      : weight,
  )
  layers.forEach(({ inputs, outputs }, l) => {
    feeds[`weight${l}`] = matrix(stored[l]!, isTransposed(inputs, outputs) ? outputs : inputs)
  })
  const found = await run(stepProductsGraph(network), feeds)
  const hidden: ArrayLike<number>[] = [x]
  for (const [l, { weight, inputs, outputs }] of layers.entries()) {
    hidden.push(product(hidden[l]!, weight, [n, inputs, outputs]))
  }
  let delta = hidden.at(-1)!
  for (const [l, { weight, inputs, outputs }] of [
    ...(layers.entries() as Iterable<[number, Layer]>),
  ].reverse()) {
    const gradient = isTransposed(inputs, outputs)
      ? product(delta, hidden[l]!, [outputs, n, inputs], { a: true })
      : product(hidden[l]!, delta, [inputs, n, outputs], { a: true })
    assertNear(found[`gradient${l}`]!, gradient)
    delta = product(delta, weight, [n, outputs, inputs], { b: true })
  }
})

test('the encoder alone gives the codes of the whole network', async () => {
  const network = createNetwork(6, [5, 4], 3)
  assert.deepEqual(encoderOf(network), { widths: [6, 5, 4, 3], codeLayer: 3 })
  const random = createRandom(3)
  const layers = randomLayers(network, random)
  const x = uniform(7 * 6, random)
  const { code } = await run(encoderGraph(network, layers), { x: matrix(x, 7) })
  const encoder = await Encoder.create(network, 0)
  const expected = await encoder.encode(layers, null, x, 7)
  await encoder.release()
  assertNear(code!, expected.code)
})

test('tasks take turns, and the first run of a turn is not timed', async () => {
  const order: string[] = []
  const task = (name: string) => ({
    flop: 1,
    run: async () => {
      if (order.at(-1) !== name) order.push(name)
    },
  })
  const [a, b] = [task('a'), task('b')]
  const rounds: number[] = []
  const times = await measure([a, b], 3, signal, (round) => rounds.push(round))
  assert.deepEqual(rounds, [1, 2, 3])
  assert.deepEqual(order, ['a', 'b', 'a', 'b'], 'the second round runs backwards')
  const { median, fastest, runs } = times.get(a)!
  assert.ok(fastest <= median && runs >= 6)
  await assert.rejects(
    measure([a], 1, AbortSignal.abort(), () => {}),
    { name: 'AbortError' },
  )
})

test('figures of a short bench agree with each other', async () => {
  const { peak, steps, encoder, weights, widths } = await benchTraining([32], 1, signal, () => {})
  assert.equal(weights, weightCount({ widths, codeLayer: 4 }))
  assert.deepEqual(
    steps.map(({ name, batch }) => [name, batch]),
    ['autoencoder, SGD', 'autoencoder, Adam', 'DEC, SGD', 'its matrix products alone'].map((name) => [
      name,
      32,
    ]),
  )
  for (const { median, fastest, gflops, share, batch } of steps) {
    assert.ok(0 < fastest && fastest <= median)
    assert.ok(Math.abs(gflops / ((6 * weights * batch) / median / 1e6) - 1) < 1e-9)
    assert.ok(Math.abs(share * peak.gflops - gflops) < 1e-9)
  }
  assert.deepEqual(
    encoder.map(({ batch }) => batch),
    [...ENCODER_BATCHES],
  )
  for (const { median, gflops, vectorsPerSecond, batch } of encoder) {
    assert.ok(Math.abs(vectorsPerSecond / (batch / (median / 1e3)) - 1) < 1e-9)
    // The encoder has half of the weights.
    assert.ok(Math.abs(gflops / ((weights * batch) / median / 1e6) - 1) < 1e-9)
  }
})
