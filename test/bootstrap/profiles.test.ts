import assert from 'node:assert/strict'
import { test } from 'node:test'
import { learnProfiles, scoreWindows } from '../../src/bootstrap/profiles.ts'
import { drawReference } from '../../src/bootstrap/reference.ts'
import type { Selection } from '../../src/bootstrap/select.ts'
import { createNetwork } from '../../src/model/network.ts'
import { createRandom } from '../../src/model/random.ts'
import { SCORE_ROWS, Scorer } from '../../src/model/scorer.ts'
import { scoringGraph } from '../../src/model/scoring.ts'
import type { WindowStore } from '../../src/windows/store.ts'
import { identityScaler, rowsOfPart, storeOf } from '../model/support.ts'

/** Code and reconstruction of half the input: the residual of a value v is (v/2)². */
async function halves(d: number, centres: number[]): Promise<Scorer> {
  const layer = (factor: number) => ({
    weight: Float32Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? factor : 0)),
    bias: new Float32Array(d),
    inputs: d,
    outputs: d,
  })
  const graph = scoringGraph(
    createNetwork(d, [], d),
    [layer(1), layer(0.5)],
    Float32Array.from(centres),
    // Missing values are taken for 1.
    { ...identityScaler(d), mean: new Float32Array(2 * d).fill(1) },
    null,
  )
  return Scorer.create(graph, d)
}

const close = (actual: ArrayLike<number>, expected: number[]): void => {
  assert.equal(actual.length, expected.length)
  expected.forEach((value, i) => {
    assert.ok(
      value === actual[i] || Math.abs(value - actual[i]!) < 1e-5,
      `${i}: ${actual[i]}, expected ${value}`,
    )
  })
}

async function learn(store: WindowStore, inSample: boolean, d: number, centres: number[]) {
  const scorer = await halves(d, centres)
  try {
    return await learnProfiles(store, { inSample }, scorer, centres.length / d)
  } finally {
    await scorer.release()
    store.close()
  }
}

test('profiles by hand: two modes, an empty third, held-out windows in the residual only', async () => {
  // Mode 0 around 0, mode 1 around 4, nothing near -4.
  const store = storeOf(1, [0, 0.4, 4, 4.2, 3], null, (row) => (row < 4 ? 'train' : 'calibration'))
  const { mean, variance, residual } = await learn(store, false, 1, [0, 4, -4])
  close(mean, [0.2, 4.1, 1000])
  close(variance, [(2 * 0.2 ** 2 + 2 * 0.1 ** 2) / 4])
  close(residual, [(0 + 0.2 ** 2 + 2 ** 2 + 2.1 ** 2 + 1.5 ** 2) / 5])
})

test('a calibration that is the training counts once', async () => {
  const { residual } = await learn(storeOf(1, [1, 3]), true, 1, [0, 4])
  close(residual, [(0.5 ** 2 + 1.5 ** 2) / 2])
})

test('a missing value counts for nothing; a feature that is never there has no weight', async () => {
  const no = Number.NaN
  // The third feature of no window; the second only of one window of mode 0.
  const store = storeOf(3, [0, no, no, 0, 2, no, 4, no, no, 4, no, no])
  const { mean, variance, residual } = await learn(store, true, 3, [0, 1, 1, 4, 1, 1])
  close(mean, [0, 2, 0, 4, 2, 0])
  close(variance, [0, 0, Infinity])
  close(residual, [(2 ** 2 + 2 ** 2) / 4, 1, Infinity])

  const network = createNetwork(3, [], 3)
  const zero = { weight: new Float32Array(9), bias: new Float32Array(3), inputs: 3, outputs: 3 }
  const graph = scoringGraph(network, [zero, zero], new Float32Array(6), identityScaler(3), {
    mean,
    variance,
    residual,
  })
  const scorer = await Scorer.create(graph, 3)
  const { evidence, contribution } = await scorer.score(
    Float64Array.of(1, 2, 0, 1, 2, 5),
    Int32Array.of(1, 1),
    2,
  )
  await scorer.release()
  assert.deepEqual([...evidence.subarray(0, 2)], [...evidence.subarray(2, 4)], 'whatever its value')
  assert.equal(contribution[5], 0)
})

test('rows of the store are scored in order, whatever their number, with their node', async () => {
  const n = SCORE_ROWS + 5
  const store = storeOf(
    1,
    Float64Array.from({ length: n }, (_, i) => (i % 40) / 10),
    null,
    (row) => (row === 7 ? 'leftOut' : 'train'),
  )
  const scorer = await halves(1, [0, 4])
  const indices = rowsOfPart(store, 'train')
  const seen: [number, number][] = []
  let wrong = 0
  await scoreWindows(store.windows('train', SCORE_ROWS), scorer, (scores, { first, rows, values }) => {
    seen.push([first, rows])
    for (let i = 0; i < rows; i++) {
      const expected = (indices[first + i]! % 40) / 10
      if (values[i] !== expected || Math.abs(scores.scaled[i]! - expected) > 1e-6) wrong++
    }
  })
  assert.equal(wrong, 0)
  assert.deepEqual(seen, [
    [0, SCORE_ROWS - 1],
    [SCORE_ROWS - 1, 5],
  ])
  await assert.rejects(
    scoreWindows(store.windows('train'), scorer, () => {}, AbortSignal.abort()),
    { name: 'AbortError' },
  )
  await scorer.release()
  store.close()
})

const SELECTION: Selection = {
  train: 0,
  calibration: 0,
  inSample: false,
  leftOut: { anomalous: 0, coverage: 0 },
  fromMs: 0,
  toMs: 0,
}

test('the reference: training windows evenly, then runs of calibration windows by node and time', async () => {
  const n = 5000
  const random = createRandom(1)
  const store = storeOf(
    2,
    Float64Array.from({ length: 2 * n }, () => random.uniform()),
    Array.from({ length: n }, (_, i) => (i * 7) % 3),
    (row) => (row < 4500 ? 'train' : 'calibration'),
  )
  const scaler = {
    ...identityScaler(2),
    nodes: ['a', 'b', 'c'],
    lo: new Float64Array(8),
    range: new Float64Array(8).fill(1),
    mean: new Float32Array(8),
  }
  const calibration = rowsOfPart(store, 'calibration')
  const { rows, ...counts } = await drawReference(store, scaler, {
    ...SELECTION,
    train: 4500,
    calibration: 500,
  })
  // Every third of 4500, so that at most 2048 are kept.
  assert.equal(counts.train, 1500)
  assert.deepEqual(
    counts.calibration.map(([node]) => node),
    [0, 1, 2],
  )
  assert.equal(
    counts.calibration.reduce((sum, [, windows]) => sum + windows, 0),
    500,
  )
  assert.equal(rows.length, 2000 * 2)
  const at = (position: number) => [...rows.subarray(position * 2, position * 2 + 2)]
  const stored = (row: number) => [...store.read('values', row, 1)].map(Math.fround)
  for (const i of [0, 1, 700, 1499]) assert.deepEqual(at(i), stored(3 * i))
  const node = store.read('node', 0, n)
  const byNode = [0, 1, 2].flatMap((one) => calibration.filter((row) => node[row] === one))
  for (const i of [0, 1, 250, 499]) assert.deepEqual(at(1500 + i), stored(byNode[i]!))
  store.close()
})

test('with more calibration windows than are kept, nodes are drawn evenly and keep whole runs', async () => {
  const nodes = 50
  const each = 100
  const n = nodes * each
  const store = storeOf(
    1,
    new Float64Array(n),
    Array.from({ length: n }, (_, i) => i % nodes),
    () => 'calibration',
  )
  const scaler = { ...identityScaler(1), lo: new Float64Array(51), range: new Float64Array(51).fill(1) }
  const names = Array.from({ length: nodes }, (_, i) => `n${i}`)
  const { calibration } = await drawReference(
    store,
    { ...scaler, nodes: names, mean: new Float32Array(51) },
    { ...SELECTION, calibration: n },
  )
  store.close()
  // Of 5000 windows at most 2048 are kept: every third node.
  assert.deepEqual(
    calibration,
    Array.from({ length: 17 }, (_, i) => [3 * i, each]),
  )
})
