import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { detectorOptions } from '../../src/detect/options.ts'
import { evaluate, MODEL_NAME } from '../../src/evaluate/evaluate.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { withHistory } from '../history/parquet.ts'
import { sharedData } from '../support/data.ts'
import { place, run } from './machine.ts'

const smd = sharedData('smd')

test('a real server: the model ranks its windows at least as well as the PCA residual', {
  skip: smd === null,
}, async () => {
  assert.ok(smd !== null)
  const result = await run(join(smd, 'machine-1-7.train.parquet'), place().out)
  assert.deepEqual([result.features, result.windows.read], [152, 1580])
  assert.ok(result.autoencoder.error < 0.95 * result.autoencoder.meanPredictor)
  const { evaluation } = await withHistory([join(smd, 'machine-1-7.test.parquet')], (history) =>
    evaluate(openBundle(result.out), history, detectorOptions(defaultConfig().detect)),
  )
  const { detectors, windows } = evaluation
  assert.ok(windows.anomalous > 100 && windows.scored > 1500)
  const auroc = (name: string): number => detectors.find(({ detector }) => detector === name)?.mean.auroc ?? 0
  assert.ok(auroc('PCA residual') > 0.6)
  assert.ok(auroc(MODEL_NAME) >= auroc('PCA residual'), `${auroc(MODEL_NAME)} and ${auroc('PCA residual')}`)
})
