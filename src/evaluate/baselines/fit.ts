import type { Baseline } from './baseline.ts'
import { fitEcod } from './ecod.ts'
import { fitIsolationForest } from './isolation-forest.ts'
import { fitKMeans } from './kmeans.ts'
import { fitKnn } from './knn.ts'
import { fitPca } from './pca.ts'
import { fitZScore } from './z-score.ts'

/**
 * The baselines that a detector has to beat before it is believed (Bouman, Bukhsh & Heskes 2024; Han et al. 2022,
 * ADBench), none of them tuned. `train` is n × d, n ≥ 2; the caller releases them.
 */
export async function fitBaselines(
  train: Float32Array,
  n: number,
  d: number,
  seed: number,
): Promise<Baseline[]> {
  return [
    fitPca(train, n, d),
    await fitKMeans(train, n, d, { seed }),
    await fitKnn(train, n, d),
    fitIsolationForest(train, n, d, seed),
    fitEcod(train, n, d),
    fitZScore(train, n, d),
  ]
}
