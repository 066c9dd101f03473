import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNetwork, type Layer } from '../../src/model/network.ts'
import type { Optimiser } from '../../src/model/optimisers.ts'
import { createRandom } from '../../src/model/random.ts'
import { targetRow } from '../../src/model/soft-assignment.ts'
import { Encoder, Trainer } from '../../src/model/trainer.ts'
import {
  activations,
  encode,
  losses,
  numericGradient,
  type Parameters,
  rowsOf,
  softAssignment,
  tensors,
  toParameters,
} from './formulas.ts'
import { randomLayers } from './support.ts'

/** 6-5-4-3-4-5-6 and three centres. */
const NETWORK = createNetwork(6, [5, 4], 3)
const K = 3
const GAMMA = 0.7
const ROWS = 9

function setUp(seed: number) {
  const random = createRandom(seed)
  const layers = randomLayers(NETWORK, random)
  const centres = Float32Array.from({ length: K * 3 }, () => random.normal())
  const x = Float32Array.from({ length: ROWS * 6 }, () => random.uniform())
  // Any distribution may be the target; a zero tests the 0·log 0 of KL.
  const target = Float32Array.from({ length: ROWS * K }, () => random.uniform())
  target[1] = 0
  for (let i = 0; i < ROWS; i++) {
    const row = target.subarray(i * K, (i + 1) * K)
    const sum = row.reduce((a, b) => a + b, 0)
    row.forEach((v, j) => {
      row[j] = v / sum
    })
  }
  const clustering = { centres: K, gamma: GAMMA, initial: centres }
  return { layers, centres, x, target, clustering }
}

function assertClose(
  actual: Parameters,
  expected: Parameters,
  tolerance: (size: number) => number,
  of: string,
): void {
  const found = tensors(actual)
  for (const [t, { name, data }] of tensors(expected).entries()) {
    assert.equal(found[t]!.data.length, data.length)
    for (const [i, value] of data.entries()) {
      const other = found[t]!.data[i]!
      assert.ok(
        Math.abs(other - value) <= tolerance(Math.abs(value)),
        `${of}, ${name}[${i}]: ${other}, expected ${value}`,
      )
    }
  }
}

/** Finite differences are worthless at a kink: no unit may sit within a step of one. */
function assertAwayFromKinks(parameters: Parameters, x: Float32Array): void {
  for (const row of rowsOf(x, 6)) {
    for (const layer of activations(NETWORK, parameters, row)) {
      for (const value of layer) assert.ok(value === 0 || Math.abs(value) > 1e-4, `activation ${value}`)
    }
  }
}

function difference(a: Parameters, b: Parameters): Parameters {
  const minus = (left: Float64Array, right: Float64Array | undefined): Float64Array =>
    left.map((v, i) => v - (right?.[i] ?? Number.NaN))
  return {
    weights: a.weights.map((data, l) => minus(data, b.weights[l])),
    biases: a.biases.map((data, l) => minus(data, b.biases[l])),
    centres: minus(a.centres, b.centres),
  }
}

for (const clustered of [false, true]) {
  for (const n of [1, 4, ROWS]) {
    test(`gradients equal finite differences: ${clustered ? 'γ·KL + MSE' : 'MSE'}, ${n} rows`, async () => {
      for (const seed of [1, 2, 3]) {
        const { layers, centres, x, target, clustering } = setUp(seed)
        const before = toParameters(layers, clustered ? centres : [])
        assertAwayFromKinks(before, x)
        const trainer = await Trainer.create(
          NETWORK,
          layers,
          { kind: 'sgd', momentum: 0 },
          clustered ? clustering : null,
        )
        // With rate 1 and no momentum the step is the gradient; its rounding is that of the weights, 6e-8 × |w|.
        await trainer.step(x, n, 1, clustered ? target : undefined)
        const after = toParameters(trainer.layers(), trainer.centres())
        await trainer.release()
        const gradient = difference(before, after)
        const expected = numericGradient(
          NETWORK,
          before,
          rowsOf(x, 6, n),
          clustered ? { gamma: GAMMA, target } : null,
        )
        assertClose(gradient, expected, (size) => 1e-6 + 1e-5 * size, `seed ${seed}`)
        const largest = Math.max(...tensors(expected).flatMap(({ data }) => [...data].map(Math.abs)))
        assert.ok(largest > 0.01, 'gradients far above the tolerance')
      }
    })
  }
}

test('the reconstruction error takes its weight; with 0 the decoder stands still', async () => {
  for (const reconstruction of [0, 0.25]) {
    const { layers, centres, x, target, clustering } = setUp(2)
    const before = toParameters(layers, centres)
    const options = { ...clustering, reconstruction }
    const trainer = await Trainer.create(NETWORK, layers, { kind: 'sgd', momentum: 0 }, options)
    const { squaredError } = await trainer.step(x, ROWS, 1, target)
    const gradient = difference(before, toParameters(trainer.layers(), trainer.centres()))
    await trainer.release()
    const rows = rowsOf(x, 6, ROWS)
    assert.ok(Math.abs(squaredError / losses(NETWORK, before, rows, target).squaredError - 1) < 1e-5)
    const both = tensors(numericGradient(NETWORK, before, rows, { gamma: GAMMA, target }))
    const alone = tensors(numericGradient(NETWORK, before, rows, null))
    for (const [t, { name, data }] of tensors(gradient).entries()) {
      data.forEach((found, i) => {
        const expected = both[t]!.data[i]! + (reconstruction - 1) * alone[t]!.data[i]!
        assert.ok(Math.abs(found - expected) < 2e-6, `${name}[${i}]: ${found}, expected ${expected}`)
        const layer = Number(name.split(' ')[1])
        if (reconstruction === 0 && layer >= NETWORK.codeLayer) assert.equal(found, 0)
      })
    }
  }
})

test('losses are sums over the rows of the batch, before the update', async () => {
  const { layers, centres, x, target, clustering } = setUp(4)
  const trainer = await Trainer.create(NETWORK, layers, { kind: 'adam' }, clustering)
  for (const n of [ROWS, 2]) {
    const parameters = toParameters(trainer.layers(), trainer.centres())
    const found = await trainer.step(x, n, 1e-3, target)
    const expected = losses(NETWORK, parameters, rowsOf(x, 6, n), target)
    assert.ok(Math.abs(found.squaredError / expected.squaredError - 1) < 1e-5)
    assert.ok(Math.abs(found.divergence / expected.divergence - 1) < 1e-5)
  }
  assert.notDeepEqual(trainer.centres(), centres)
  await trainer.release()
})

/** Batches of several sizes, whole and partial. */
const SIZES = [ROWS, 4, ROWS, 1, 7, ROWS]

/** Runs the same batches by the graph and by `update` in double precision, and compares after every step. */
async function compareSteps(
  optimiser: Optimiser,
  rate: (step: number) => number,
  update: (step: number, at: { name: string; i: number }, gradient: number) => number,
): Promise<void> {
  const { layers, centres, x, target, clustering } = setUp(5)
  const trainer = await Trainer.create(NETWORK, layers, optimiser, clustering)
  const expected = toParameters(layers, centres)
  for (const [step, n] of SIZES.entries()) {
    await trainer.step(x, n, rate(step), target)
    const gradient = numericGradient(NETWORK, expected, rowsOf(x, 6, n), { gamma: GAMMA, target })
    const slopes = tensors(gradient)
    for (const [t, { name, data }] of tensors(expected).entries()) {
      for (let i = 0; i < data.length; i++) data[i]! += update(step, { name, i }, slopes[t]!.data[i]!)
    }
    const actual = toParameters(trainer.layers(), trainer.centres())
    assertClose(actual, expected, () => 1e-6, `step ${step}`)
  }
  await trainer.release()
}

test('SGD with momentum equals its formula over steps of changing size and rate', async () => {
  const velocity = new Map<string, number>()
  const rate = (step: number) => 0.1 / (1 + step)
  await compareSteps({ kind: 'sgd', momentum: 0.9 }, rate, (step, { name, i }, gradient) => {
    const v = 0.9 * (velocity.get(`${name} ${i}`) ?? 0) - rate(step) * gradient
    velocity.set(`${name} ${i}`, v)
    return v
  })
})

test('Adam equals its formula, bias correction and epsilon included', async () => {
  const moments = new Map<string, [number, number]>()
  const rate = (step: number) => 1e-3 * (1 + step)
  await compareSteps({ kind: 'adam' }, rate, (step, { name, i }, gradient) => {
    const [m, v] = moments.get(`${name} ${i}`) ?? [0, 0]
    const mean = 0.9 * m + 0.1 * gradient
    const square = 0.999 * v + 0.001 * gradient ** 2
    moments.set(`${name} ${i}`, [mean, square])
    // Keras' order: the correction goes into the rate, epsilon stays beside the uncorrected root.
    const corrected = (rate(step) * Math.sqrt(1 - 0.999 ** (step + 1))) / (1 - 0.9 ** (step + 1))
    return (-corrected * mean) / (Math.sqrt(square) + 1e-7)
  })
})

test('training leaves the layers it was given alone, and hands out copies', async () => {
  const { layers, x } = setUp(6)
  const kept = layers.map((layer) => layer.weight.slice())
  const trainer = await Trainer.create(NETWORK, layers, { kind: 'adam' })
  const [first] = trainer.layers() as [Layer, ...Layer[]]
  await trainer.step(x, ROWS, 0.01)
  assert.deepEqual(
    layers.map((layer) => layer.weight),
    kept,
  )
  assert.deepEqual(first.weight, kept[0])
  assert.notDeepEqual(trainer.layers()[0]?.weight, kept[0])
  await trainer.release()
})

test('codes, errors and q of the encoder equal the formulas; rows of q sum to 1', async () => {
  const { layers, centres, x } = setUp(7)
  const encoder = await Encoder.create(NETWORK, K)
  const { code, squaredError, q } = await encoder.encode(layers, centres, x, ROWS)
  assert.deepEqual(
    await encoder.assign(layers, centres, x, ROWS),
    { code, q },
    'the same without the decoder',
  )
  await encoder.release()
  const parameters = toParameters(layers, centres)
  rowsOf(x, 6).forEach((row, i) => {
    const expected = encode(NETWORK, parameters, row)
    expected.forEach((v, f) => {
      assert.ok(Math.abs(code[i * 3 + f]! - v) < 1e-6)
    })
    assert.ok(Math.abs(squaredError[i]! - losses(NETWORK, parameters, [row], null).squaredError) < 1e-5)
    const shares = softAssignment(expected, parameters.centres)
    shares.forEach((v, j) => {
      assert.ok(Math.abs(q[i * K + j]! - v) < 1e-6)
    })
    assert.ok(Math.abs(q.subarray(i * K, (i + 1) * K).reduce((a, b) => a + b, 0) - 1) < 1e-6)
  })
})

test('q by hand: a code on a centre, one beside it, one in the middle', async () => {
  // One linear layer each way passes its input on as the code.
  const network = createNetwork(1, [], 1)
  const layers = [1, 1].map(() => ({
    weight: Float32Array.of(1),
    bias: Float32Array.of(0),
    inputs: 1,
    outputs: 1,
  }))
  const encoder = await Encoder.create(network, 2)
  // Centres 0 and 2: at 0 the kernels are 1 and 1/5, at 1 both 1/2, at 3 they are 1/10 and 1/2.
  const { q } = await encoder.encode(layers, Float32Array.of(0, 2), Float32Array.of(0, 1, 3), 3)
  await encoder.release()
  const expected = [5 / 6, 1 / 6, 1 / 2, 1 / 2, 1 / 6, 5 / 6]
  expected.forEach((v, i) => {
    assert.ok(Math.abs(q[i]! - v) < 1e-6, `${i}: ${q[i]}`)
  })
})

test('the target distribution by hand', () => {
  // Masses of the rows .8 .2, .5 .5, .2 .8 and .3 .7.
  const mass = Float64Array.of(1.8, 2.2)
  const p = new Float32Array(3 * 2)
  targetRow(Float32Array.of(0.5, 0.5), mass, p, 0)
  targetRow(Float32Array.of(0.3, 0.7), mass, p, 2)
  // (0.25/1.8) / (0.25/1.8 + 0.25/2.2) = 0.55; (0.09/1.8) / (0.09/1.8 + 0.49/2.2) = 0.05 / 0.272727… = 0.18333…
  const expected = [0.55, 0.45, 0.05 / (0.05 + 0.49 / 2.2), 0.49 / 2.2 / (0.05 + 0.49 / 2.2), 0, 0]
  expected.forEach((v, i) => {
    assert.ok(Math.abs(p[i]! - v) < 1e-6, `${i}: ${p[i]}`)
  })
})

for (const optimiser of [{ kind: 'sgd', momentum: 0.9 }, { kind: 'adam' }] as Optimiser[]) {
  test(`a restored trainer goes on bit for bit: ${optimiser.kind}`, async () => {
    const { layers, centres, x, target, clustering } = setUp(8)
    const trainer = await Trainer.create(NETWORK, layers, optimiser, clustering)
    for (const n of SIZES) await trainer.step(x, n, 0.01, target)
    const state = trainer.state()
    const losses = [await trainer.step(x, ROWS, 0.01, target), await trainer.step(x, 4, 0.02, target)]
    const restored = await Trainer.restore(NETWORK, state, optimiser, clustering)
    const again = [await restored.step(x, ROWS, 0.01, target), await restored.step(x, 4, 0.02, target)]
    assert.deepEqual(again, losses)
    assert.deepEqual(restored.state(), trainer.state())
    assert.notDeepEqual(restored.centres(), centres)
    await trainer.release()
    await restored.release()
  })
}

test('a state of another network or optimiser is refused', async () => {
  const { layers, x } = setUp(9)
  const trainer = await Trainer.create(NETWORK, layers, { kind: 'adam' })
  await trainer.step(x, ROWS, 0.01)
  const state = trainer.state()
  await trainer.release()
  await assert.rejects(
    Trainer.restore(NETWORK, state, { kind: 'sgd', momentum: 0.9 }),
    /has no values of velocity\.weight0, the network needs 30/,
  )
  await assert.rejects(
    Trainer.restore(createNetwork(6, [5, 3], 3), state, { kind: 'adam' }),
    /has 20 values of weight1, the network needs 15/,
  )
})

test('the number of threads changes no bit of a step on this network, and a step without its target is refused', async () => {
  const { layers, x, target, clustering } = setUp(10)
  const states = []
  for (const threads of [1, 2]) {
    const trainer = await Trainer.create(NETWORK, layers, { kind: 'adam' }, clustering, threads)
    await trainer.step(x, ROWS, 0.01, target)
    await assert.rejects(trainer.step(x, ROWS, 0.01), /needs the target distribution/)
    states.push(trainer.state())
    await trainer.release()
  }
  assert.deepEqual(states[0], states[1])
})

test('a step that is refused leaves no trace', async () => {
  const { layers, x, target, clustering } = setUp(12)
  const trainer = await Trainer.create(NETWORK, layers, { kind: 'adam' }, clustering)
  await trainer.step(x, ROWS, 0.01, target)
  const before = trainer.state()
  await assert.rejects(trainer.step(x, ROWS + 1, 0.01, target), /size\(60\) does not match data length\(54\)/)
  await assert.rejects(
    trainer.step(x, ROWS, 0.01, target.subarray(K)),
    /size\(27\) does not match data length\(24\)/,
  )
  assert.deepEqual(trainer.state(), before)
  await trainer.release()
})

test('batches of 32 to 4096 rows: a batch repeated, in part too, gives the step of its mean gradient', async () => {
  const { layers, centres, x, target, clustering } = setUp(11)
  const most = 4096
  const repeat = (values: Float32Array, width: number) =>
    Float32Array.from({ length: most * width }, (_, i) => values[i % (ROWS * width)]!)
  const [manyX, manyTarget] = [repeat(x, 6), repeat(target, K)]
  for (const n of [32, 100, 1024, most]) {
    const trainer = await Trainer.create(NETWORK, layers, { kind: 'sgd', momentum: 0.9 }, clustering)
    const { squaredError, divergence } = await trainer.step(manyX, n, 0.5, manyTarget)
    const before = toParameters(layers, centres)
    const rows = rowsOf(manyX, 6, n)
    const expected = losses(NETWORK, before, rows, manyTarget)
    assert.ok(Math.abs(squaredError / expected.squaredError - 1) < 1e-5, `${n} rows: ${squaredError}`)
    assert.ok(Math.abs(divergence / expected.divergence - 1) < 1e-5, `${n} rows: ${divergence}`)
    // Whole repeats have the gradient of one; the rest of the rows come once more.
    const gradientOf = (count: number) =>
      tensors(numericGradient(NETWORK, before, rowsOf(x, 6, count), { gamma: GAMMA, target }))
    const rest = n % ROWS
    const [whole, part] = [gradientOf(ROWS), gradientOf(Math.max(1, rest))]
    const after = tensors(toParameters(trainer.layers(), trainer.centres()))
    for (const [t, { name, data }] of tensors(before).entries()) {
      data.forEach((value, i) => {
        const gradient = ((n - rest) * whole[t]!.data[i]! + rest * part[t]!.data[i]!) / n
        const found = after[t]!.data[i]!
        assert.ok(Math.abs(found - (value - 0.5 * gradient)) < 1e-6, `${n} rows, ${name}[${i}]: ${found}`)
      })
    }
    await trainer.release()
  }
})
