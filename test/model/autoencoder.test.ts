import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meanPredictorError, type PretrainOptions, trainAutoencoder } from '../../src/model/autoencoder.ts'
import { createNetwork } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import { losses, rowsOf, toParameters } from './formulas.ts'
import { withRows } from './support.ts'

const D = 12
const N = 500
const NETWORK = createNetwork(D, [16], 2)
const OPTIONS: PretrainOptions = {
  optimiser: { kind: 'adam' },
  initialiser: 'variance-scaling',
  learningRate: 0.005,
  schedule: { kind: 'cosine' },
  batch: 64,
  epochs: 30,
}
const nothing = (): void => {}

/** Rows on a plane in d dimensions: what a code of two can hold. */
function plane(): Float32Array {
  const random = createRandom(11)
  const axes = Array.from({ length: 2 }, () => Array.from({ length: D }, () => 0.25 * random.normal()))
  return Float32Array.from(
    Array.from({ length: N }, () => {
      const [u, v] = [random.normal(), random.normal()]
      return axes[0]!.map((a, f) => 0.5 + u * a + v * axes[1]![f]!)
    }).flat(),
  )
}

test('on rows of rank two it ends far below the mean predictor, and its losses are told', async () => {
  const x = plane()
  await withRows(D, x, async (rows) => {
    const told: [number, number][] = []
    const { layers, losses: trained } = await trainAutoencoder(
      rows,
      NETWORK,
      OPTIONS,
      createRandom(1),
      (epoch, loss) => told.push([epoch, loss]),
    )
    const mean = await meanPredictorError(rows)
    assert.ok(trained.at(-1)! < 0.1 * mean, `${trained.at(-1)} of ${mean}`)
    assert.deepEqual(
      told,
      trained.map((loss, i) => [i + 1, loss]),
    )
    // The layers handed back are those that reach it.
    const { squaredError } = losses(NETWORK, toParameters(layers), rowsOf(x, D), null)
    assert.ok(squaredError / (N * D) < 1.1 * trained.at(-1)!)
  })
})

test('the same seed gives the same layers bit by bit, another one others', async () => {
  await withRows(D, plane(), async (rows) => {
    const train = (seed: number) =>
      trainAutoencoder(rows, NETWORK, { ...OPTIONS, epochs: 2 }, createRandom(seed), nothing)
    assert.deepEqual(await train(1), await train(1))
    assert.notDeepEqual((await train(1)).layers, (await train(2)).layers)
  })
})

test('the cosine schedule ends at rest, a constant rate does not', async () => {
  await withRows(D, plane(), async (rows) => {
    // One batch an epoch: with two epochs the cosine's rates are rate and rate/2.
    const train = async (schedule: 'cosine' | 'constant', epochs: number, learningRate: number) => {
      const options: PretrainOptions = {
        ...OPTIONS,
        optimiser: { kind: 'sgd', momentum: 0 },
        batch: N,
        schedule: { kind: schedule },
        epochs,
        learningRate,
      }
      return (await trainAutoencoder(rows, NETWORK, options, createRandom(1), nothing)).losses
    }
    const cosine = await train('cosine', 3, 0.4)
    const constant = await train('constant', 3, 0.4)
    assert.ok(Math.abs(cosine[1]! / constant[1]! - 1) < 1e-5, 'the first step is the same')
    assert.ok(cosine[2]! > constant[2]!, 'the second is shorter: cos²(π/6) of the rate')
  })
})

test('a loss that leaves the numbers names the key and its value', async () => {
  await withRows(D, plane(), async (rows) => {
    const options: PretrainOptions = {
      ...OPTIONS,
      optimiser: { kind: 'sgd', momentum: 0.9 },
      schedule: { kind: 'constant' },
      learningRate: 1e6,
    }
    await assert.rejects(trainAutoencoder(rows, NETWORK, options, createRandom(1), nothing), {
      name: 'ModelError',
      code: 'diverged',
      message:
        /^the autoencoder's loss is (NaN|Infinity) after epoch 1; lower training\.pretrain\.learning_rate \(now 1000000\)$/,
    })
  })
})

test('a signal stops it between two steps', async () => {
  await withRows(D, plane(), async (rows) => {
    const controller = new AbortController()
    const epochs: number[] = []
    const run = trainAutoencoder(
      rows,
      NETWORK,
      OPTIONS,
      createRandom(1),
      (epoch) => {
        epochs.push(epoch)
        if (epoch === 2) controller.abort()
      },
      { signal: controller.signal },
    )
    await assert.rejects(run, { name: 'AbortError' })
    assert.deepEqual(epochs, [1, 2])
  })
})

test('the mean predictor by hand: the mean over features of the population variance', async () => {
  // Variances 8/3, 0 and 2/9.
  await withRows(3, [0, 5, 0, 2, 5, 0, 4, 5, 1], async (rows) => {
    assert.ok(Math.abs((await meanPredictorError(rows)) - (8 / 3 + 0 + 2 / 9) / 3) < 1e-7)
  })
  await withRows(2, new Float32Array(200).fill(0.1), async (rows) => {
    assert.equal(await meanPredictorError(rows), 0)
  })
})
