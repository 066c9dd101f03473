import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type LayerwiseExtra,
  type LayerwiseOptions,
  type LayerwiseState,
  pretrainLayerwise,
} from '../../src/model/layerwise.ts'
import { createNetwork, initialiseLayers, type Layer } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import { MemoryRows } from '../../src/model/rows.ts'
import { Encoder } from '../../src/model/trainer.ts'
import { blobs } from './support.ts'

const D = 8
const NETWORK = createNetwork(D, [12, 6], 2)
const OPTIONS: LayerwiseOptions = {
  optimiser: { kind: 'adam' },
  learningRate: 0.01,
  schedule: { kind: 'constant' },
  batch: 32,
  epochs: 15,
  dropout: 0.1,
}

/** Three clouds in eight dimensions. */
function points(): Float32Array {
  const random = createRandom(3)
  const middles = Array.from({ length: 3 }, () => Array.from({ length: D }, () => random.normal()))
  return blobs(middles, 70, 0.1, 4)
}

async function meanError(layers: readonly Layer[], x: Float32Array): Promise<number> {
  const encoder = await Encoder.create(NETWORK, 0)
  const { squaredError } = await encoder.encode(layers, null, x, x.length / D)
  await encoder.release()
  return squaredError.reduce((a, b) => a + b, 0) / x.length
}

test('stacks fall in loss, and the whole network starts far below the one it came from', async () => {
  const x = points()
  const losses: number[][] = [[], [], []]
  const layers = await pretrainLayerwise(
    new MemoryRows(x, D),
    NETWORK,
    'variance-scaling',
    OPTIONS,
    createRandom(1),
    { onEpoch: (stack, epoch, loss) => assert.equal(losses[stack]!.push(loss), epoch) },
  )
  for (const stack of losses) {
    assert.equal(stack.length, OPTIONS.epochs)
    assert.ok(stack.at(-1)! < 0.8 * stack[0]!, `${stack}`)
  }
  const sizes = layers.map(({ inputs, outputs, weight, bias }) => {
    assert.deepEqual([weight.length, bias.length], [inputs * outputs, outputs])
    return [inputs, outputs]
  })
  assert.deepEqual(sizes, [
    [8, 12],
    [12, 6],
    [6, 2],
    [2, 6],
    [6, 12],
    [12, 8],
  ])
  const untrained = await meanError(initialiseLayers(NETWORK, 'variance-scaling', createRandom(1)), x)
  const pretrained = await meanError(layers, x)
  assert.ok(pretrained < 0.4 * untrained, `${pretrained}, untrained ${untrained}`)
})

test('resumed behind any finished stack it ends bit for bit as it would have', async () => {
  const rows = new MemoryRows(points(), D)
  const options = { ...OPTIONS, epochs: 2 }
  const run = (extra: LayerwiseExtra) =>
    pretrainLayerwise(rows, NETWORK, 'variance-scaling', options, createRandom(2), extra)
  const states: LayerwiseState[] = []
  const whole = await run({ onState: (state) => states.push(state) })
  assert.deepEqual(
    states.map(({ stacks }) => stacks.length),
    [1, 2, 3],
  )
  for (const state of states) assert.deepEqual(await run({ state }), whole)
})

test('the same seed gives the same bits, another does not', async () => {
  const run = (seed: number) =>
    pretrainLayerwise(
      new MemoryRows(points(), D),
      NETWORK,
      'normal-0.01',
      { ...OPTIONS, epochs: 1 },
      createRandom(seed),
    )
  assert.deepEqual(await run(5), await run(5))
  assert.notDeepEqual(await run(5), await run(6))
})

test('divergence names the stack, the key and a value; a signal stops between two steps', async () => {
  const rows = new MemoryRows(points(), D)
  const wild = { ...OPTIONS, optimiser: { kind: 'sgd', momentum: 0.9 }, learningRate: 1e6 } as const
  await assert.rejects(pretrainLayerwise(rows, NETWORK, 'variance-scaling', wild, createRandom(1)), {
    code: 'diverged',
    message:
      /^layer-wise pretraining of layer 1: the loss is .* lower training\.pretrain\.layerwise\.learning_rate to 100000 \(now 1000000\)$/,
  })
  const aborted = pretrainLayerwise(rows, NETWORK, 'variance-scaling', OPTIONS, createRandom(1), {
    signal: AbortSignal.abort(new Error('enough')),
  })
  await assert.rejects(aborted, /enough/)
})
