import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGuards, type GuardFigures } from '../../src/bootstrap/guards.ts'

const GOOD: GuardFigures = {
  autoencoderError: 0.01,
  meanPredictorError: 0.1,
  pcaError: 0.02,
  code: 4,
  shares: [0.6, 0.4],
  clipped: 0.001,
  beatPca: true,
}

const refused = (changes: Partial<GuardFigures>, message: string | RegExp): void =>
  assert.throws(() => checkGuards({ ...GOOD, ...changes }), { name: 'ModelError', code: 'guard', message })

const results = (changes: Partial<GuardFigures>): Record<string, string> =>
  Object.fromEntries(checkGuards({ ...GOOD, ...changes }).map(({ name, result }) => [name, result]))

test('a good model passes, and each guard tells its figure and limit', () => {
  assert.deepEqual(
    checkGuards(GOOD).map(({ name, result, value, limit }) => [name, result, value, limit]),
    [
      ['mean_predictor', 'passed', 0.01, 0.95 * 0.1],
      ['pca', 'passed', 0.01, 0.02],
      ['largest_mode', 'passed', 0.6, 0.9],
      ['empty_modes', 'passed', 0, 0],
      ['clipped', 'passed', 0.001, 0.02],
    ],
  )
})

test('the mean predictor: less than five per cent better is refused, and so is no number', () => {
  for (const autoencoderError of [0.095, 0.2, Number.NaN]) {
    refused(
      { autoencoderError },
      /^the autoencoder \(error .*\) is no better than predicting the mean \(0\.100\)/,
    )
  }
  assert.equal(results({ autoencoderError: 0.0949, beatPca: false }).mean_predictor, 'passed')
})

test('PCA: only where the model claims more than a linear code', () => {
  refused(
    { autoencoderError: 0.02 },
    'the autoencoder (error 0.0200) is no better than PCA with 4 components (0.0200); train longer (training.pretrain.epochs) or with a wider network (training.hidden)',
  )
  assert.deepEqual(Object.keys(results({ autoencoderError: 0.02, beatPca: false })), [
    'mean_predictor',
    'largest_mode',
    'empty_modes',
    'clipped',
  ])
})

test('one mode with nearly everything warns, with everything is refused', () => {
  assert.equal(results({ shares: [0.9, 0.1] }).largest_mode, 'passed')
  assert.equal(results({ shares: [0.91, 0.09] }).largest_mode, 'warning')
  assert.equal(results({ shares: [0.995, 0.005] }).largest_mode, 'warning')
  refused(
    { shares: [0.996, 0.004] },
    /^one mode holds 99\.6 % of the windows: the clustering has collapsed\./,
  )
})

test('empty modes warn and say how many centres to take', () => {
  const guards = checkGuards({ ...GOOD, shares: [0.5, 0, 0.5, 0] })
  const { result, value, message } = guards.find(({ name }) => name === 'empty_modes')!
  assert.deepEqual(
    [result, value, message],
    ['warning', 2, '2 of 4 modes hold no window; lower training.centres to 2'],
  )
})

test('clipped inputs warn, many are refused', () => {
  assert.equal(results({ clipped: 0.02 }).clipped, 'passed')
  assert.equal(results({ clipped: 0.021 }).clipped, 'warning')
  assert.equal(results({ clipped: 0.25 }).clipped, 'warning')
  refused(
    { clipped: 0.251 },
    '25.1 % of the inputs of the calibration windows lie far outside the training range: the end of the history does not look like its beginning. Give a history that covers both',
  )
})
