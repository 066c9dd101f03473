/**
 * Remeasures the baselines of `evaluate` on the reference data and prints them beside documented figures from scikit-learn and PyOD.
 * The windows are not built by the product, so that a mistake in its windows would show as a difference. With `--every N` the
 * baselines are fitted on each N-th training window only: what is lost by thinning.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Baseline } from '../../src/evaluate/baselines/baseline.ts'
import { fitEcod } from '../../src/evaluate/baselines/ecod.ts'
import { fitIsolationForest } from '../../src/evaluate/baselines/isolation-forest.ts'
import { fitKMeans } from '../../src/evaluate/baselines/kmeans.ts'
import { fitKnn } from '../../src/evaluate/baselines/knn.ts'
import { fitPca } from '../../src/evaluate/baselines/pca.ts'
import { fitZScore } from '../../src/evaluate/baselines/z-score.ts'
import { auroc, averagePrecision, bestF1 } from '../../src/evaluate/metrics.ts'
import { type Cell, renderTable } from '../../src/evaluate/table.ts'
import { sharedData } from '../support/data.ts'
import { readWindows, scale } from '../support/reference-windows.ts'
import { machine } from './machine.ts'

type Figures = readonly [auroc: number, averagePrecision: number, bestF1: number]

interface Method {
  name: string
  /** More than one where chance has a part. */
  seeds: readonly number[]
  fit(train: Float32Array, n: number, d: number, seed: number): Baseline | Promise<Baseline>
  /** Means over the entities of each set, scikit-learn or PyOD without tuning. */
  smd: Figures
  js2: Figures
}

const METHODS: readonly Method[] = [
  {
    name: 'PCA residual, 20 components',
    seeds: [0],
    fit: (train, n, d) => fitPca(train, n, d, { components: 20 }),
    smd: [0.846, 0.672, 0.679],
    js2: [0.698, 0.214, 0.298],
  },
  {
    name: 'PCA residual, 95 % of the variance',
    seeds: [0],
    fit: (train, n, d) => fitPca(train, n, d),
    smd: [0.866, 0.696, 0.687],
    js2: [0.646, 0.214, 0.297],
  },
  {
    name: 'kNN, mean distance to 5 neighbours',
    seeds: [0],
    fit: (train, n, d) => fitKnn(train, n, d),
    smd: [0.884, 0.726, 0.723],
    js2: [0.641, 0.244, 0.329],
  },
  {
    name: 'k-means 8, nearest centre',
    seeds: [0, 1, 2],
    fit: (train, n, d, seed) => fitKMeans(train, n, d, { seed }),
    smd: [0.863, 0.701, 0.713],
    js2: [0.687, 0.239, 0.323],
  },
  {
    name: 'isolation forest, 200 trees',
    seeds: [0, 1, 2],
    fit: (train, n, d, seed) => fitIsolationForest(train, n, d, seed),
    smd: [0.794, 0.45, 0.471],
    js2: [0.611, 0.148, 0.212],
  },
  {
    name: 'ECOD',
    seeds: [0],
    fit: (train, n, d) => fitEcod(train, n, d),
    smd: [0.657, 0.26, 0.298],
    js2: [0.557, 0.108, 0.151],
  },
  {
    name: 'largest z-score',
    seeds: [0],
    fit: (train, n, d) => fitZScore(train, n, d),
    smd: [0.85, 0.657, 0.643],
    js2: [0.601, 0.149, 0.267],
  },
]

const DATA_SETS = [
  { name: 'smd', entities: ['machine-1-6', 'machine-1-7', 'machine-2-1'] },
  { name: 'js2', entities: Array.from({ length: 10 }, (_, i) => `service${i}`) },
] as const

const { values } = parseArgs({ options: { every: { type: 'string', default: '1' } } })
const every = Number(values.every)

console.log(`${machine()}${every === 1 ? '' : `; fitted on every ${every}th window`}`)
const rows: Cell[][] = []
for (const { name, entities } of DATA_SETS) {
  const folder = sharedData(name)
  if (folder === null) continue
  const sets = []
  for (const entity of entities) {
    const train = await readWindows(join(folder, `${entity}.train.parquet`))
    const test = await readWindows(join(folder, `${entity}.test.parquet`))
    const { n, d } = train
    const scaled = scale(train, train).filter((_, i) => Math.floor(i / d) % every === 0)
    sets.push({ n: Math.ceil(n / every), d, train: scaled, test: scale(train, test), labels: test })
  }
  for (const method of METHODS) {
    for (const seed of method.seeds) {
      const started = performance.now()
      const sums = [0, 0, 0]
      for (const { n, d, train, test, labels } of sets) {
        const baseline = await method.fit(train, n, d, seed)
        const scores = await baseline.score(test, labels.n)
        await baseline.release()
        const measured = [
          auroc(scores, labels.label),
          averagePrecision(scores, labels.label),
          bestF1(scores, labels.label)?.f1,
        ]
        for (const [i, value] of measured.entries()) sums[i] = (sums[i] ?? 0) + (value ?? Number.NaN)
      }
      const seconds = (performance.now() - started) / 1000
      const means = sums.map((sum) => sum / sets.length)
      const documented = method[name]
      const difference = Math.abs((means[0] ?? Number.NaN) - documented[0])
      rows.push([name, method.name, seed, ...means, ...documented, difference, seconds])
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
      { title: 's', decimals: 1 },
    ],
    rows,
  ),
)
