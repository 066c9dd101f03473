/** The report's experiments for a terminal. */

import { type Cell, renderTable } from '../evaluate/table.ts'
import type { ExperimentRow, Experiments } from './report-experiments.ts'

const COLUMNS = [
  { title: 'factor' },
  { title: 'value' },
  { title: 'ACC', decimals: 4 },
  { title: 'NMI', decimals: 4 },
  { title: 'ARI', decimals: 4 },
  { title: 'silhouette', decimals: 3 },
  { title: 'iterations' },
  { title: 'stopped by' },
  { title: 'KL' },
  { title: 'MSE', decimals: 4 },
  { title: 'pretrained', decimals: 4 },
  { title: 'seconds', decimals: 0 },
]

const NOTES = `Each row changes one factor of the preset in the first row. KL and MSE are means over the steps before the last update; pretrained is the
autoencoder's MSE before DEC; seconds are those of DEC, and of the autoencoder where the row has one of its own.`

export function experimentsText({ node, windows, features, k, seed, rows }: Experiments): string {
  const heading = `node ${node}: ${windows.compared} labelled windows × ${features} features, ${windows.anomalous} anomalous; always normal has ACC ${(1 - windows.anomalous / windows.compared).toFixed(4)}; ${k} clusters, seed ${seed}`
  const failed = rows.flatMap(({ factor, value, failed }) =>
    failed === null ? [] : [`${factor} ${value}: ${failed}`],
  )
  const parts = [heading, renderTable(COLUMNS, rows.map(cells)), NOTES, ...failed]
  return `${parts.join('\n\n')}\n`
}

/** Factors with an autoencoder of their own. */
const OWN = new Set(['preset', 'code', 'batch', 'optimiser'])

function cells({ factor, value, figures }: ExperimentRow): Cell[] {
  if (figures === null) return [factor, value, null, null, null, null, null, 'failed', null, null, null, null]
  const { accuracy, nmi, ari, silhouette, iterations, stopped, divergence, error, pretrainError, seconds } =
    figures
  const spent = seconds.clustering + (OWN.has(factor) ? seconds.pretraining : 0)
  return [
    factor,
    value,
    accuracy,
    nmi,
    ari,
    silhouette,
    iterations,
    stopped,
    divergence?.toPrecision(2) ?? null,
    error,
    pretrainError,
    spent,
  ]
}
