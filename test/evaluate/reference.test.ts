import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { fitKMeansDistance, fitPca } from '../../src/evaluate/baselines.ts'
import { auroc, averagePrecision, bestF1 } from '../../src/evaluate/metrics.ts'
import { sharedData } from '../support/data.ts'
import { readWindows, scale } from '../support/reference-windows.ts'

const smd = sharedData('smd')

test('baselines and metrics on real servers equal those of scikit-learn', {
  skip: smd === null,
}, async () => {
  const measured = { pca20: [0, 0, 0], pca95: [0, 0, 0], kMeans: [0, 0, 0] }
  const machines = ['machine-1-6', 'machine-1-7', 'machine-2-1']
  for (const machine of machines) {
    const train = await readWindows(join(smd ?? '', `${machine}.train.parquet`))
    const held = await readWindows(join(smd ?? '', `${machine}.test.parquet`))
    const { n, d } = train
    const rows = scale(train, train)
    const baselines = {
      pca20: fitPca(rows, n, d, { components: 20 }),
      pca95: fitPca(rows, n, d),
      kMeans: fitKMeansDistance(rows, n, d),
    }
    for (const name of ['pca20', 'pca95', 'kMeans'] as const) {
      const scores = baselines[name].score(scale(train, held), held.n)
      const figures = [
        auroc(scores, held.label),
        averagePrecision(scores, held.label),
        bestF1(scores, held.label)?.f1,
      ]
      measured[name] = measured[name].map((sum, i) => sum + (figures[i] ?? Number.NaN) / machines.length)
    }
  }
  const near = (actual: number[], expected: number[], tolerance: number) => {
    for (const [i, value] of expected.entries()) {
      assert.ok(Math.abs((actual[i] ?? Number.NaN) - value) <= tolerance, `${actual}, expected ${expected}`)
    }
  }
  near(measured.pca20, [0.846, 0.672, 0.679], 0.002)
  near(measured.pca95, [0.866, 0.696, 0.687], 0.002)
  near(measured.kMeans, [0.863, 0.701, 0.713], 0.02) // depends on the start of the centres
})
