import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Baseline } from '../../../src/evaluate/baselines/baseline.ts'
import { fitEcod } from '../../../src/evaluate/baselines/ecod.ts'
import { fitBaselines } from '../../../src/evaluate/baselines/fit.ts'
import { fitIsolationForest } from '../../../src/evaluate/baselines/isolation-forest.ts'
import { fitKMeans } from '../../../src/evaluate/baselines/kmeans.ts'
import { fitKnn } from '../../../src/evaluate/baselines/knn.ts'
import { fitPca } from '../../../src/evaluate/baselines/pca.ts'
import { fitZScore } from '../../../src/evaluate/baselines/z-score.ts'
import { createRandom } from '../../../src/model/random.ts'

const [N, D] = [400, 5]
const random = createRandom(3)
/** Correlated normal features. */
const TRAIN = Float32Array.from({ length: N * D }, () => 0.5 + 0.1 * random.normal())

const FITS: Record<string, (train: Float32Array, n: number, d: number) => Baseline | Promise<Baseline>> = {
  PCA: (train, n, d) => fitPca(train, n, d),
  'k-means': (train, n, d) => fitKMeans(train, n, d),
  'kNN distance': (train, n, d) => fitKnn(train, n, d),
  'isolation forest': (train, n, d) => fitIsolationForest(train, n, d),
  ECOD: (train, n, d) => fitEcod(train, n, d),
  'z-score': (train, n, d) => fitZScore(train, n, d),
}

test('every baseline has a name of its own and finds a far row strangest', async () => {
  const baselines = await fitBaselines(TRAIN, N, D, 0)
  assert.equal(new Set(baselines.map(({ name }) => name)).size, Object.keys(FITS).length)
  const probes = Float32Array.from({ length: 3 * D }, (_, i) => [0.5, 3, 0.52][Math.floor(i / D)] ?? 0)
  for (const { name, score, release } of baselines) {
    const scores = await score(probes, 3)
    assert.equal(scores.indexOf(Math.max(...scores)), 1, `${name}: ${scores}`)
    await release()
  }
})

for (const [name, fit] of Object.entries(FITS)) {
  test(`${name}: a row's score does not depend on the rows beside it`, async () => {
    const baseline = await fit(TRAIN, N, D)
    const all = await baseline.score(TRAIN, N)
    const some = await baseline.score(TRAIN.subarray(7 * D), 3)
    some.forEach((score, i) => {
      assert.ok(Math.abs(score - (all[7 + i] ?? Number.NaN)) < 1e-9, `${score}, ${all[7 + i]}`)
    })
    await baseline.release()
  })

  test(`${name} refuses what it can not do`, async () => {
    // Some refuse at once, some by a promise.
    const refuses = (work: () => unknown, reason: RegExp) => assert.rejects(async () => await work(), reason)
    await refuses(() => fit(TRAIN, 0, D), /0 training rows, expected at least [12]/)
    await refuses(() => fit(TRAIN, N, 0), /0 features, expected at least 1/)
    await refuses(() => fit(TRAIN, N + 1, D), /2000 training values, expected 401 rows × 5 features/)
    const holed = TRAIN.with(2 * D + 1, Number.NaN)
    await refuses(() => fit(holed, N, D), /feature 1 of training row 2 is NaN, not finite/)
    const baseline = await fit(TRAIN, N, D)
    await refuses(() => baseline.score(TRAIN, N + 1), /2000 values, expected 401 rows × 5 features/)
    for (const wrong of [Number.NaN, Infinity]) {
      const rows = TRAIN.slice(0, 3 * D).with(D + 2, wrong)
      await refuses(() => baseline.score(rows, 3), /row 1 holds a value that is not finite/)
    }
    await baseline.release()
  })
}
