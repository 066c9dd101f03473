import { readFileSync } from 'node:fs'

/** Made by test/compare/clustering_golden.py. */
interface Golden {
  agreement: {
    name: string
    assignment: number[]
    labels: number[]
    accuracy: number
    nmi: number
    ari: number
  }[]
  baselines: {
    name: string
    features: number
    /** Row-major. */
    points: number[]
    k: number
    /** Partition by k-means, from which the mixture starts and whose silhouette is given. */
    start: number[]
    silhouette: number
    mixture: {
      assignment: number[]
      weights: number[]
      means: number[]
      logLikelihood: number
      iterations: number
    }
    /** By number of clusters. */
    ward: Record<string, number[]>
  }[]
}

/** What scikit-learn says. */
export const golden = JSON.parse(
  readFileSync(new URL('clustering.golden.json', import.meta.url), 'utf8'),
) as Golden
