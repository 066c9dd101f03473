/**
 * Remeasures the baselines of `evaluate` on the reference data and prints them beside documented figures from scikit-learn.
 * The windows are not built by the product, so that a mistake in its windows would show as a difference.
 */
import { join } from 'node:path'
import { type Baseline, fitKMeansDistance, fitPca } from '../../src/evaluate/baselines.ts'
import { auroc, averagePrecision, bestF1 } from '../../src/evaluate/metrics.ts'
import { type Cell, renderTable } from '../../src/evaluate/table.ts'
import { sharedData } from '../support/data.ts'
import { readWindows, scale } from '../support/reference-windows.ts'
import { machine } from './machine.ts'

const SEEDS = [0, 1, 2]

/** AUROC, average precision, best F1: means over the entities, scikit-learn without tuning. */
const DATA_SETS = [
  {
    name: 'smd',
    entities: ['machine-1-6', 'machine-1-7', 'machine-2-1'],
    documented: {
      'PCA residual, 20 components': [0.846, 0.672, 0.679],
      'PCA residual, 95 % of the variance': [0.866, 0.696, 0.687],
      'k-means 8, nearest centre': [0.863, 0.701, 0.713],
    },
  },
  {
    name: 'js2',
    entities: Array.from({ length: 10 }, (_, i) => `service${i}`),
    documented: {
      'PCA residual, 20 components': [0.698, 0.214, 0.298],
      'PCA residual, 95 % of the variance': [0.646, 0.214, 0.297],
      'k-means 8, nearest centre': [0.687, 0.239, 0.323],
    },
  },
] as const

type Method = keyof (typeof DATA_SETS)[number]['documented']

const METHODS: Record<Method, (train: Float32Array, n: number, d: number, seed: number) => Baseline> = {
  'PCA residual, 20 components': (train, n, d) => fitPca(train, n, d, { components: 20 }),
  'PCA residual, 95 % of the variance': (train, n, d) => fitPca(train, n, d),
  'k-means 8, nearest centre': (train, n, d, seed) => fitKMeansDistance(train, n, d, { seed }),
}

console.log(machine())
const rows: Cell[][] = []
for (const { name, entities, documented } of DATA_SETS) {
  const folder = sharedData(name)
  if (folder === null) continue
  const sets = []
  for (const entity of entities) {
    const train = await readWindows(join(folder, `${entity}.train.parquet`))
    const test = await readWindows(join(folder, `${entity}.test.parquet`))
    sets.push({ n: train.n, d: train.d, train: scale(train, train), test: scale(train, test), labels: test })
  }
  for (const [method, fit] of Object.entries(METHODS)) {
    const expected = documented[method as Method]
    for (const seed of method.startsWith('k-means') ? SEEDS : SEEDS.slice(0, 1)) {
      const sums = [0, 0, 0]
      for (const { n, d, train, test, labels } of sets) {
        const scores = fit(train, n, d, seed).score(test, labels.n)
        const measured = [
          auroc(scores, labels.label),
          averagePrecision(scores, labels.label),
          bestF1(scores, labels.label)?.f1,
        ]
        for (const [i, value] of measured.entries()) sums[i] = (sums[i] ?? 0) + (value ?? Number.NaN)
      }
      const means = sums.map((sum) => sum / sets.length)
      rows.push([name, method, seed, ...means, ...expected, Math.abs((means[0] ?? 0) - expected[0])])
    }
  }
}
console.log(
  renderTable(
    [
      { title: 'data' },
      { title: 'baseline' },
      { title: 'seed' },
      { title: 'AUROC', decimals: 3 },
      { title: 'AP', decimals: 3 },
      { title: 'best F1', decimals: 3 },
      { title: 'documented', decimals: 3 },
      { title: 'AP', decimals: 3 },
      { title: 'best F1', decimals: 3 },
      { title: '|Δ AUROC|', decimals: 3 },
    ],
    rows,
  ),
)
