import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DenoisingShape, DenoisingTrainer, drawMask, type Stack } from '../../src/model/denoising.ts'
import type { Optimiser } from '../../src/model/optimisers.ts'
import { createRandom, type Random } from '../../src/model/random.ts'

const SHAPE: DenoisingShape = {
  inputs: 5,
  hidden: 4,
  hiddenRelu: true,
  outputRelu: true,
  inputDropout: 0.3,
  hiddenDropout: 0.4,
}
const ROWS = 7

function layer(inputs: number, outputs: number, random: Random) {
  const draw = (size: number) => Float32Array.from({ length: size }, () => 0.6 * random.normal())
  return { weight: draw(inputs * outputs), bias: draw(outputs), inputs, outputs }
}

function setUp(seed: number): { start: Stack; x: Float32Array } {
  const random = createRandom(seed)
  const { inputs, hidden } = SHAPE
  const start = { encoder: layer(inputs, hidden, random), decoder: layer(hidden, inputs, random) }
  return { start, x: Float32Array.from({ length: ROWS * inputs }, () => random.normal()) }
}

/** Parameters one after the other, in double precision. */
function flat({ encoder, decoder }: Stack): Float64Array {
  return Float64Array.from([...encoder.weight, ...encoder.bias, ...decoder.weight, ...decoder.bias])
}

/** mean((y − x)²) under the given masks, written from the formula. */
function objective(
  shape: DenoisingShape,
  p: Float64Array,
  x: Float32Array,
  n: number,
  inputMask: Float32Array,
  hiddenMask: Float32Array,
): number {
  const { inputs: d, hidden: h } = shape
  const bias0 = d * h
  const weight1 = bias0 + h
  const bias1 = weight1 + h * d
  const relu = (v: number, on: boolean) => (on ? Math.max(0, v) : v)
  let sum = 0
  for (let i = 0; i < n; i++) {
    const hidden = Array.from({ length: h }, (_, j) => {
      let v = p[bias0 + j]!
      for (let f = 0; f < d; f++) v += x[i * d + f]! * inputMask[i * d + f]! * p[f * h + j]!
      return relu(v, shape.hiddenRelu) * hiddenMask[i * h + j]!
    })
    for (let f = 0; f < d; f++) {
      let v = p[bias1 + f]!
      for (let j = 0; j < h; j++) v += hidden[j]! * p[weight1 + j * d + f]!
      sum += (relu(v, shape.outputRelu) - x[i * d + f]!) ** 2
    }
  }
  return sum / (n * d)
}

/** The masks that a step draws from a stream, in the order in which it draws them. */
function masks(shape: DenoisingShape, n: number, random: Random): [Float32Array, Float32Array] {
  const one = (size: number, dropped: number) =>
    dropped === 0 ? new Float32Array(size).fill(1) : drawMask(new Float32Array(0), size, dropped, random)
  return [one(n * shape.inputs, shape.inputDropout), one(n * shape.hidden, shape.hiddenDropout)]
}

function slope(f: (p: Float64Array) => number, p: Float64Array): Float64Array {
  const step = 1e-6
  return p.map((kept, i) => {
    p[i] = kept + step
    const above = f(p)
    p[i] = kept - step
    const below = f(p)
    p[i] = kept
    return (above - below) / (2 * step)
  })
}

const SHAPES: [string, Partial<DenoisingShape>][] = [
  ['inner stack', {}],
  ['first stack: clean input, linear output', { inputDropout: 0, outputRelu: false }],
  ['last stack: linear code without dropout', { hiddenDropout: 0, hiddenRelu: false }],
]

for (const [name, changes] of SHAPES) {
  test(`gradients equal finite differences: ${name}`, async () => {
    const shape = { ...SHAPE, ...changes }
    for (const n of [1, ROWS]) {
      for (const seed of [1, 2, 3]) {
        const { start, x } = setUp(seed)
        const trainer = await DenoisingTrainer.create(shape, start, { kind: 'sgd', momentum: 0 })
        const squaredError = await trainer.step(x, n, 1, createRandom(seed))
        const after = flat(trainer.stack())
        await trainer.release()
        const before = flat(start)
        const [inputMask, hiddenMask] = masks(shape, n, createRandom(seed))
        const f = (p: Float64Array) => objective(shape, p, x, n, inputMask, hiddenMask)
        assert.ok(Math.abs(squaredError / (f(before) * n * shape.inputs) - 1) < 1e-5)
        const expected = slope(f, before)
        expected.forEach((v, i) => {
          // With rate 1 and no momentum the step is the gradient, rounded as the weights are.
          const found = before[i]! - after[i]!
          assert.ok(
            Math.abs(found - v) < 2e-6 + 1e-5 * Math.abs(v),
            `seed ${seed}, ${i}: ${found}, expected ${v}`,
          )
        })
        assert.ok(Math.max(...expected.map(Math.abs)) > 0.01, 'gradients far above the tolerance')
      }
    }
  })
}

test('a mask drops the asked share and keeps the expectation; the same seed draws the same', () => {
  const size = 100_000
  const mask = drawMask(new Float32Array(0), size, 0.2, createRandom(1))
  const kept = mask.filter((v) => v > 0)
  assert.ok(kept.every((v) => v === 1.25))
  // Standard deviation of the share: sqrt(0.2·0.8/size) = 0.0013.
  assert.ok(Math.abs(kept.length / size - 0.8) < 0.006)
  assert.deepEqual(drawMask(mask.slice(), size, 0.2, createRandom(1)), mask)
})

test('without dropout a stack learns what its hidden layer can hold', async () => {
  const random = createRandom(8)
  const shape: DenoisingShape = {
    ...SHAPE,
    hiddenRelu: false,
    outputRelu: false,
    inputDropout: 0,
    hiddenDropout: 0,
  }
  // Rows of a plane in five dimensions: two hidden units suffice, four are there.
  const axes = Array.from({ length: 2 }, () => Array.from({ length: 5 }, () => random.normal()))
  const x = new Float32Array(64 * 5)
  for (let i = 0; i < 64; i++) {
    const at = [random.normal(), random.normal()]
    for (let f = 0; f < 5; f++) x[i * 5 + f] = at[0]! * axes[0]![f]! + at[1]! * axes[1]![f]!
  }
  for (const optimiser of [{ kind: 'adam' }, { kind: 'sgd', momentum: 0.9 }] satisfies Optimiser[]) {
    const trainer = await DenoisingTrainer.create(shape, setUp(1).start, optimiser)
    let error = 0
    for (let step = 0; step < 400; step++) error = await trainer.step(x, 64, 0.02, random)
    await trainer.release()
    assert.ok(error / x.length < 1e-3, `${optimiser.kind}: ${error / x.length}`)
  }
})
