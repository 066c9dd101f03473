import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelOptions, selectionOptions, windowOptions } from '../../src/bootstrap/presets.ts'
import type { TrainingConfig } from '../../src/config/schema.ts'
import { training } from './machine.ts'

test('the report preset is the published report to the letter', () => {
  const report = training({ preset: 'report' })
  // Its node file: 460 features, 15,310 windows.
  assert.deepEqual(modelOptions(report, 460, 15_310), {
    hidden: [500, 500, 2000],
    code: 20,
    pretrain: {
      optimiser: { kind: 'sgd', momentum: 0.9 },
      initialiser: 'normal-0.01',
      learningRate: 0.1,
      schedule: { kind: 'constant' },
      batch: 128,
      epochs: 100,
    },
    cluster: {
      optimiser: { kind: 'sgd', momentum: 0.9 },
      learningRate: 0.01,
      schedule: { kind: 'constant' },
      batch: 128,
      centres: 2,
      gamma: 0.5,
      updateInterval: 140,
      tolerance: 0.01,
      maxIterations: 1000,
      shuffle: false,
    },
  })
  assert.deepEqual(windowOptions(report), {
    lengthSeconds: 900,
    everySeconds: 900,
    statistics: ['avg', 'var', 'max', 'min'],
    ddof: 1,
    logSpread: false,
    useCatalogue: false,
  })
  assert.deepEqual(selectionOptions(report), {
    holdout: 0,
    skipAnomalous: false,
    minCoverage: 0,
    plainScaler: true,
  })
})

test('the report preset does not depend on the size of the data', () => {
  const report = training({ preset: 'report' })
  assert.deepEqual(modelOptions(report, 20, 100), modelOptions(report, 460, 1_000_000))
})

test('the default preset looks at the data', () => {
  const options = (features: number, rows: number) => {
    const { hidden, code, pretrain, cluster } = modelOptions(training(), features, rows)
    return [
      hidden.join('-'),
      code,
      pretrain.batch,
      pretrain.epochs,
      cluster.centres,
      cluster.updateInterval,
      cluster.maxIterations,
    ]
  }
  assert.deepEqual(options(20, 60), ['64-32', 5, 64, 40, 2, 2, 20])
  assert.deepEqual(options(152, 1264), ['128-64', 10, 64, 40, 8, 40, 400])
  assert.deepEqual(options(348, 15_310), ['256-128', 10, 256, 40, 8, 120, 1200])
  // 980 nodes × 30 days of 15-minute windows.
  assert.deepEqual(options(348, 2_822_400), ['256-128', 10, 1024, 5, 8, 5514, 3000])
  assert.equal(options(1, 60)[1], 2)
  assert.deepEqual(windowOptions(training()), {
    lengthSeconds: 900,
    everySeconds: 900,
    statistics: ['avg', 'var', 'max', 'min'],
    ddof: 1,
    logSpread: true,
    useCatalogue: true,
  })
  assert.deepEqual(selectionOptions(training()), {
    holdout: 0.2,
    skipAnomalous: true,
    minCoverage: 0.5,
    plainScaler: false,
  })
})

test('every key of the configuration overrides either preset', () => {
  for (const preset of ['default', 'report'] as const) {
    const config = training({
      preset,
      window: 600,
      every: 300,
      statistics: ['max', 'std'],
      ddof: 0,
      holdout: 0.3,
      hidden: [7, 6],
      code: 5,
      centres: 4,
      pretrain: {
        optimiser: 'adam',
        learning_rate: 0.2,
        schedule: 'step',
        step_epochs: 3,
        batch: 3,
        epochs: 2,
        initialiser: 'variance-scaling',
      },
      cluster: {
        optimiser: 'sgd',
        momentum: 0.5,
        learning_rate: 0.3,
        schedule: 'cosine',
        batch: 9,
        gamma: 0.8,
        reconstruction: 0.5,
        update_interval: 11,
        tolerance: 0.05,
        max_iterations: 12,
      },
    })
    const { hidden, code, pretrain, cluster } = modelOptions(config, 50, 5000)
    assert.deepEqual([hidden, code], [[7, 6], 5])
    assert.deepEqual(pretrain, {
      optimiser: { kind: 'adam' },
      initialiser: 'variance-scaling',
      learningRate: 0.2,
      schedule: { kind: 'step', epochs: 3 },
      batch: 3,
      epochs: 2,
    })
    const { shuffle: _, ...second } = cluster
    assert.deepEqual(second, {
      optimiser: { kind: 'sgd', momentum: 0.5 },
      learningRate: 0.3,
      schedule: { kind: 'cosine' },
      batch: 9,
      centres: 4,
      gamma: 0.8,
      reconstruction: 0.5,
      updateInterval: 11,
      tolerance: 0.05,
      maxIterations: 12,
    })
    const windows = windowOptions(config)
    assert.deepEqual(
      [windows.lengthSeconds, windows.everySeconds, windows.statistics, windows.ddof],
      [600, 300, ['max', 'std'], 0],
    )
    assert.equal(selectionOptions(config).holdout, 0.3)
  }
})

test('sgd without a momentum takes .9', () => {
  const { pretrain } = modelOptions(training({ pretrain: { optimiser: 'sgd' } }), 20, 1000)
  assert.deepEqual(pretrain.optimiser, { kind: 'sgd', momentum: 0.9 })
})

test('layer-wise pretraining: none unless asked for; what it leaves out is that of pretrain', () => {
  const options = (layerwise?: NonNullable<TrainingConfig['pretrain']['layerwise']>) =>
    modelOptions(
      training({
        pretrain: { optimiser: 'sgd', learning_rate: 0.3, batch: 7, ...(layerwise && { layerwise }) },
      }),
      20,
      1000,
    ).layerwise
  assert.equal(options(), undefined)
  assert.deepEqual(options({ epochs: 4, dropout: 0.2 }), {
    optimiser: { kind: 'sgd', momentum: 0.9 },
    learningRate: 0.3,
    schedule: { kind: 'cosine' },
    batch: 7,
    epochs: 4,
    dropout: 0.2,
  })
  assert.deepEqual(
    options({
      epochs: 4,
      dropout: 0,
      optimiser: 'adam',
      learning_rate: 0.01,
      schedule: 'constant',
      batch: 9,
    }),
    {
      optimiser: { kind: 'adam' },
      learningRate: 0.01,
      schedule: { kind: 'constant' },
      batch: 9,
      epochs: 4,
      dropout: 0,
    },
  )
})
