import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchCollapse } from '../../src/bootstrap/collapse.ts'
import { checkGuards, type GuardFigures } from '../../src/bootstrap/guards.ts'
import { modelOptions } from '../../src/bootstrap/presets.ts'
import { training } from './machine.ts'

const GOOD: GuardFigures = {
  losses: [0.2, 0.05, 0.01],
  meanPredictorError: 0.1,
  pcaError: 0.02,
  reconstruction: { before: 0.01, after: 0.011 },
  shares: [0.6, 0.4],
  clipped: 0.001,
  beatPca: true,
  options: modelOptions(training({ preset: 'report', code: 4 }), 20, 1000),
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
      ['reconstruction', 'passed', 0.011, 0.02],
      ['largest_mode', 'passed', 0.6, 0.9],
      ['empty_modes', 'passed', 0, 0],
      ['clipped', 'passed', 0.001, 0.02],
    ],
  )
})

test('the mean predictor: less than five per cent better is refused, and so is no number', () => {
  for (const error of [0.095, 0.2, Number.NaN]) {
    refused(
      { losses: [0.3, error] },
      /^the autoencoder \(error .*\) is no better than predicting the mean \(0\.100\)\. Set training\.pretrain\.epochs to 200 \(now 100\), training\.pretrain\.initialiser to variance-scaling, or try a smaller training\.pretrain\.batch \(now [0-9]+\) or another training\.pretrain\.learning_rate \(now 0\.1\)$/,
    )
  }
  assert.equal(results({ losses: [0.0949], beatPca: false }).mean_predictor, 'passed')
})

test('the mean predictor: a plateau that was not left is named by its epochs', () => {
  refused(
    { losses: [0.4, 0.12, 0.1, 0.101, 0.1, 0.099] },
    /: it has not left its first plateau, epochs 3–6 at the mean predictor's error\. Set/,
  )
})

test('PCA: only where the model claims more than a linear code', () => {
  refused(
    { losses: [0.02] },
    'the autoencoder (error 0.0200) is no better than PCA with 4 components (0.0200). Set training.pretrain.epochs to 200 (now 100), or wider layers in training.hidden (now 500, 500, 2000)',
  )
  assert.deepEqual(Object.keys(results({ losses: [0.02], beatPca: false })), [
    'mean_predictor',
    'reconstruction',
    'largest_mode',
    'empty_modes',
    'clipped',
  ])
})

test('DEC that has lost the reconstruction is refused; twice as bad as before warns', () => {
  assert.equal(results({ reconstruction: { before: 0.01, after: 0.02 } }).reconstruction, 'passed')
  assert.equal(results({ reconstruction: { before: 0.01, after: 0.021 } }).reconstruction, 'warning')
  refused(
    { reconstruction: { before: 0.01, after: 0.096 } },
    'after DEC the autoencoder (error 0.0960, before 0.0100) is no better than predicting the mean (0.100). Lower training.cluster.gamma to 0.05 (now 0.5) or training.cluster.learning_rate to 0.001 (now 0.01)',
  )
  const { options } = GOOD
  refused(
    {
      reconstruction: { before: 0.01, after: 0.096 },
      options: { ...options, cluster: { ...options.cluster, reconstruction: 0 } },
    },
    /Set training\.cluster\.reconstruction to 1 \(now 0\), or lower training\.cluster\.gamma/,
  )
})

/** What a run of updates, given as the largest share and the error of each, ends with; null when it goes on. */
function watched(looks: [largest: number, error: number][], options = GOOD.options): string | null {
  const watch = watchCollapse(options, 0.1)
  try {
    for (const [i, [largest, error]] of looks.entries()) {
      watch(
        { iteration: 10 * i, changed: 0.5, divergence: 0, squaredError: error },
        { changed: 0.5, shares: [largest, 1 - largest] },
      )
    }
    return null
  } catch (error) {
    return (error as Error).message
  }
}

test('a run that stays collapsed for three updates ends early with advice; one that recovers goes on', () => {
  assert.equal(
    watched([
      [0.5, 0.01],
      [1, 0.01],
      [0.999, 0.01],
      [1, 0.01],
    ]),
    'DEC has collapsed: for 3 updates, up to iteration 30, one centre has held 100.0 % of the windows and 1 of 2 none. Lower training.cluster.gamma to 0.05 (now 0.5) or training.cluster.learning_rate to 0.001 (now 0.01); or set training.pretrain.epochs to 200 (now 100) or fewer training.centres (now 2)',
  )
  const recovering: [number, number][] = [1, 1, 0.9, 1, 1].map((largest) => [largest, 0.01])
  assert.equal(watched(recovering), null)
})

test('a run whose reconstruction stays at the mean predictor ends early, unless none is asked for', () => {
  const lost: [number, number][] = [0.01, 0.1, 0.12, 0.11].map((error) => [0.6, error])
  assert.match(
    watched(lost) ?? '',
    /^DEC has lost the reconstruction: for 3 updates, up to iteration 30, its error \(0\.110\) has been no better than predicting the mean \(0\.100\)\. Lower training\.cluster\.gamma/,
  )
  assert.equal(watched(lost.slice(0, 3)), null)
  const { options } = GOOD
  assert.equal(watched(lost, { ...options, cluster: { ...options.cluster, reconstruction: 0 } }), null)
})

test('one mode with nearly everything warns, with everything is refused', () => {
  assert.equal(results({ shares: [0.9, 0.1] }).largest_mode, 'passed')
  assert.equal(results({ shares: [0.91, 0.09] }).largest_mode, 'warning')
  assert.equal(results({ shares: [0.995, 0.005] }).largest_mode, 'warning')
  refused(
    { shares: [0.996, 0.004] },
    /^one mode holds 99\.6 % of the windows: the clustering has collapsed\. Lower training\.cluster\.gamma to 0\.05 \(now 0\.5\)/,
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
    '25.1 % of the inputs of the calibration windows lie far outside the training range: the end of the history does not look like its beginning. Give a history that covers both, or set training.holdout to 0',
  )
})
