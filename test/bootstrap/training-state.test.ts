import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadState, saveState, type TrainingState } from '../../src/bootstrap/training-state.ts'
import { createRandom } from '../../src/model/random.ts'
import { folder } from '../history/parquet.ts'

const path = join(folder(), 'state.bin')
const state: TrainingState = {
  meanPredictor: 0.25,
  layerwise: null,
  pretrain: {
    trainer: { steps: 3, tensors: { weight0: Float32Array.of(1.5, -2, 3), bias0: Float32Array.of(0.1) } },
    random: createRandom(1).state(),
    losses: [0.5, 0.25],
  },
  dec: null,
}

test('a state comes back bit for bit, for its own identity only', () => {
  saveState(path, 'mine', state)
  assert.deepEqual(loadState(path, 'mine'), state)
  assert.equal(loadState(path, 'another'), null)
})

test('wherever a file is cut, it counts as damaged', () => {
  saveState(path, 'mine', state)
  const whole = readFileSync(path)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
      writeFileSync(path, whole.subarray(0, length))
      assert.equal(loadState(path, 'mine'), null)
    }),
  )
})
