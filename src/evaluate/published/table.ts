/** The report's table: which clustering agrees how well with the labels of one node's windows. */
import type { Progress } from '../../bootstrap/progress.ts'
import { kMeans } from '../../model/kmeans.ts'
import { createRandom } from '../../model/random.ts'
import { MOST_WARD_ROWS, ward } from '../agglomerative.ts'
import { adjustedRandIndex, clusterAccuracy, normalisedMutualInformation } from '../clustering.ts'
import { fitGaussianMixture } from '../gmm.ts'
import { type Silhouette, silhouette } from '../silhouette.ts'
import { type Method, PUBLISHED, type PublishedFigures } from './figures.ts'

/** Points of one space, rows × size, row-major. */
export interface Space {
  values: Float32Array
  size: number
}

export interface ReportInput {
  /** 1 anomalous, 0 normal. */
  labels: Int32Array
  /** Number of clusters. */
  k: number
  /** Scaled features. */
  features: Space
  /** Code that the baselines cluster. */
  code: Space
  /** Assignment by DEC, and the code in which it was made. */
  dec: { assignment: Int32Array; code: Space; seconds: number | null }
}

/** How a partition agrees with the labels; null where labels of one class leave nothing to agree with. */
export interface Agreement {
  accuracy: number | null
  nmi: number | null
  ari: number | null
}

export interface ReportRow extends Agreement {
  method: Method
  /** In the space that was clustered; null where it is not defined. */
  silhouette: number | null
  /** Rows that the silhouette looked at. */
  silhouetteRows: number
  /** Sizes of the clusters, largest first. */
  sizes: number[]
  /** Time of the clustering, for DEC that of its training; null where it was not run here. */
  seconds: number | null
  /** Why the row has no figures. */
  missing: string | null
  /** The report's own figures, on its own data. */
  published: PublishedFigures
}

/** Starts of k-means; the best by inertia counts. As the DEC authors and the report. */
const RESTARTS = 20

export async function reportTable(
  input: ReportInput,
  options: { seed: number; progress: Progress; signal?: AbortSignal | undefined },
): Promise<ReportRow[]> {
  const { labels, k, dec } = input
  const { seed, progress, signal } = options
  const rows: ReportRow[] = []
  const add = async (method: Method, space: Space, assignment: Int32Array, seconds: number | null) => {
    const width = await silhouette(space.values, space.size, assignment, {
      random: createRandom(seed),
      signal,
    })
    rows.push(row(method, assignment, labels, width, seconds))
  }
  for (const [name, space] of [
    ['features', input.features],
    ['code', input.code],
  ] as const) {
    const step = progress.step(`cluster the ${name}`)
    const run = async (method: 'k-means' | 'GMM' | 'agglomerative', fit: () => Promise<Int32Array>) => {
      const started = performance.now()
      const assignment = await fit()
      await add(`${method} on ${name}`, space, assignment, (performance.now() - started) / 1000)
      return assignment
    }
    const start = await run('k-means', async () => {
      const fitted = await kMeans(space.values, space.size, k, {
        restarts: RESTARTS,
        random: createRandom(seed),
        signal,
      })
      return fitted.assignment
    })
    await run('GMM', async () => {
      const mixture = await fitGaussianMixture(space.values, space.size, k, start, { signal })
      return mixture.assignment
    })
    if (labels.length <= MOST_WARD_ROWS) {
      await run('agglomerative', () => ward(space.values, space.size, k, { signal }))
    } else {
      const missing = `needs the distances of all pairs, which are held for at most ${MOST_WARD_ROWS} windows`
      rows.push(missingRow(`agglomerative on ${name}`, missing))
    }
    step.finish()
  }
  await add('DEC', dec.code, dec.assignment, dec.seconds)
  rows.push(row('always normal', new Int32Array(labels.length), labels, null, null))
  return rows
}

/** Figures of an assignment beside the labels. */
export function agreement(assignment: Int32Array, labels: Int32Array): Agreement {
  const first = labels[0]
  if (labels.every((label) => label === first)) return { accuracy: null, nmi: null, ari: null }
  return {
    accuracy: clusterAccuracy(assignment, labels),
    nmi: normalisedMutualInformation(assignment, labels),
    ari: adjustedRandIndex(assignment, labels),
  }
}

/** Largest first. */
export function clusterSizes(assignment: Int32Array): number[] {
  const counts = new Map<number, number>()
  for (const cluster of assignment) counts.set(cluster, (counts.get(cluster) ?? 0) + 1)
  return [...counts.values()].sort((a, b) => b - a)
}

function row(
  method: Method,
  assignment: Int32Array,
  labels: Int32Array,
  width: Silhouette | null,
  seconds: number | null,
): ReportRow {
  return {
    method,
    ...agreement(assignment, labels),
    silhouette: width?.mean ?? null,
    silhouetteRows: width?.rows ?? 0,
    sizes: clusterSizes(assignment),
    seconds,
    missing: null,
    published: PUBLISHED[method],
  }
}

function missingRow(method: Method, missing: string): ReportRow {
  const none = {
    accuracy: null,
    nmi: null,
    ari: null,
    silhouette: null,
    silhouetteRows: 0,
    sizes: [],
    seconds: null,
  }
  return { method, ...none, missing, published: PUBLISHED[method] }
}
