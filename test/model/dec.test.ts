import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { trainAutoencoder } from '../../src/model/autoencoder.ts'
import { type Clustered, type ClusterOptions, type DecState, trainDec } from '../../src/model/dec.ts'
import { createNetwork, type Layer } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import { encode, rowsOf, softAssignment, toParameters } from './formulas.ts'
import { blobs, withRows } from './support.ts'

const D = 8
const EACH = 120
const POINTS = [0, 1, 2].map((b) => Array.from({ length: D }, (_, f) => (f % 3 === b ? 0.8 : 0.2)))
const X = blobs(POINTS, EACH, 0.06, 21)
const NETWORK = createNetwork(D, [16], 3)
const OPTIONS: ClusterOptions = {
  optimiser: { kind: 'adam' },
  learningRate: 1e-3,
  schedule: { kind: 'constant' },
  batch: 50,
  centres: 3,
  gamma: 0.1,
  updateInterval: 10,
  tolerance: 0.005,
  maxIterations: 300,
  shuffle: true,
}
const nothing = (): void => {}
let pretrained: Layer[]

before(async () => {
  pretrained = await withRows(D, X, async (rows) => {
    const options = {
      optimiser: { kind: 'adam' },
      initialiser: 'variance-scaling',
      learningRate: 0.005,
      schedule: { kind: 'cosine' },
      batch: 60,
      epochs: 15,
    } as const
    return (await trainAutoencoder(rows, NETWORK, options, createRandom(1), nothing)).layers
  })
})

const train = (
  changes: Partial<ClusterOptions> = {},
  seed = 1,
  onUpdate: Parameters<typeof trainDec>[5] = nothing,
  signal?: AbortSignal,
): Promise<Clustered> =>
  withRows(D, X, (rows) =>
    trainDec(rows, NETWORK, pretrained, { ...OPTIONS, ...changes }, createRandom(seed), onUpdate, { signal }),
  )

/** Most likely centre of every row, by the formulas. */
function assign({ layers, centres }: Clustered): number[] {
  const parameters = toParameters(layers, centres)
  return rowsOf(X, D).map((row) => {
    const q = softAssignment(encode(NETWORK, parameters, row), parameters.centres)
    return q.indexOf(Math.max(...q))
  })
}

/** Mutual information over the mean of both entropies. */
function agreement(a: number[], b: number[]): number {
  const n = a.length
  const entropy = (values: (number | string)[]): number => {
    const counts = new Map<number | string, number>()
    for (const v of values) counts.set(v, (counts.get(v) ?? 0) + 1)
    return [...counts.values()].reduce((sum, c) => sum - (c / n) * Math.log(c / n), 0)
  }
  const joint = entropy(a.map((v, i) => `${v} ${b[i]}`))
  return (2 * (entropy(a) + entropy(b) - joint)) / (entropy(a) + entropy(b))
}

test('separable groups become the centres; shares, updates and the reason to stop tell of it', async () => {
  const told: Clustered['updates'] = []
  const result = await train({}, 1, (update) => told.push(update))
  const truth = Array.from({ length: 3 * EACH }, (_, i) => Math.floor(i / EACH))
  const found = assign(result)
  assert.ok(agreement(truth, found) > 0.99, `NMI ${agreement(truth, found)}`)
  result.shares.forEach((share, j) => {
    assert.ok(Math.abs(share - found.filter((v) => v === j).length / found.length) < 1e-9)
  })
  assert.deepEqual(told, result.updates)
  assert.deepEqual([told[0]?.iteration, told[0]?.changed, told[0]?.divergence], [0, 1, 0])
  for (const [i, update] of result.updates.entries()) assert.equal(update.iteration, 10 * i)
  assert.equal(result.stopped, 'tolerance')
  assert.ok(result.updates.at(-1)!.changed < OPTIONS.tolerance)
  assert.ok(result.updates.slice(0, -1).every(({ changed }) => changed >= OPTIONS.tolerance))
  assert.ok(result.updates.at(-1)!.divergence > 0 && result.updates.at(-1)!.squaredError > 0)
})

test('clustering sharpens q', async () => {
  const sharpness = (clustered: Clustered): number => {
    const parameters = toParameters(clustered.layers, clustered.centres)
    const most = rowsOf(X, D).map((row) =>
      Math.max(...softAssignment(encode(NETWORK, parameters, row), parameters.centres)),
    )
    return most.reduce((a, b) => a + b, 0) / most.length
  }
  const [short, long] = [await train({ maxIterations: 1 }), await train({ tolerance: 0, gamma: 1 })]
  assert.ok(sharpness(long) > sharpness(short) + 0.05, `${sharpness(short)} to ${sharpness(long)}`)
})

test('tolerance 0 goes on to the last iteration', async () => {
  const { stopped, updates } = await train({ tolerance: 0, maxIterations: 45 })
  assert.equal(stopped, 'max_iterations')
  assert.deepEqual(
    updates.map(({ iteration }) => iteration),
    [0, 10, 20, 30, 40],
  )
})

test('the same seed gives the same bits, another one other centres', async () => {
  const options = { maxIterations: 25, tolerance: 0 }
  const [a, b, other] = [await train(options, 1), await train(options, 1), await train(options, 2)]
  assert.deepEqual(a, b)
  assert.notDeepEqual(a.centres, other.centres)
})

test('in order, as the report takes the rows, works too', async () => {
  const result = await train({
    shuffle: false,
    optimiser: { kind: 'sgd', momentum: 0.9 },
    learningRate: 0.01,
  })
  const truth = Array.from({ length: 3 * EACH }, (_, i) => Math.floor(i / EACH))
  assert.ok(agreement(truth, assign(result)) > 0.99)
})

test('more centres than windows are refused with the key', async () => {
  await assert.rejects(train({ centres: 361 }), {
    name: 'ModelError',
    code: 'too_little_data',
    message: "360 training windows can't fill 361 centres; lower training.centres",
  })
})

for (const [when, maxIterations] of [
  ['before an update', 40],
  ['after the last update', 9],
] as const) {
  test(`divergence ${when} is an error that names the key`, async () => {
    const wild = train({ optimiser: { kind: 'sgd', momentum: 0.9 }, learningRate: 1e6, maxIterations })
    await assert.rejects(wild, {
      name: 'ModelError',
      code: 'diverged',
      message: /^DEC diverged before iteration \d+; lower training\.cluster\.learning_rate \(now 1000000\)$/,
    })
  })
}

test('a signal stops it between two steps', async () => {
  const controller = new AbortController()
  const updates: number[] = []
  const run = train(
    { tolerance: 0 },
    1,
    ({ iteration }) => {
      updates.push(iteration)
      if (iteration === 20) controller.abort()
    },
    controller.signal,
  )
  await assert.rejects(run, { name: 'AbortError' })
  assert.deepEqual(updates, [0, 10, 20])
})

for (const shuffle of [true, false]) {
  test(`handed in again, a state goes on to the same bits, ${shuffle ? 'shuffled' : 'in order'}`, async () => {
    // 360 rows in batches of 50: an update every 10 steps falls into the middle of a pass, and a pass ends short.
    const options = { ...OPTIONS, shuffle, tolerance: 0, maxIterations: 45 }
    const states: DecState[] = []
    const again = (state?: DecState): Promise<Clustered> =>
      withRows(D, X, (rows) =>
        trainDec(rows, NETWORK, pretrained, options, createRandom(state === undefined ? 5 : 6), nothing, {
          state,
          onState: (stateOf) => states.push(structuredClone(stateOf())),
        }),
      )
    const whole = await again()
    assert.deepEqual(
      states.map(({ iteration }) => iteration),
      [0, 10, 20, 30, 40],
    )
    for (const state of [...states]) assert.deepEqual(await again(state), whole)
  })
}

test('given centres are started from in place of those of k-means', async () => {
  const states: DecState[] = []
  const centres = Float32Array.from({ length: 9 }, (_, i) => i / 9)
  await withRows(D, X, (rows) =>
    trainDec(rows, NETWORK, pretrained, { ...OPTIONS, maxIterations: 1 }, createRandom(1), nothing, {
      centres,
      onState: (stateOf) => states.push(structuredClone(stateOf())),
    }),
  )
  assert.deepEqual(states[0]?.trainer.tensors.centres, centres)
})
