/** The report's table for a terminal. */
import { MEAN_PREDICTOR_LIMIT } from '../../bootstrap/guards.ts'
import { type Cell, renderTable } from '../table.ts'
import { PUBLISHED_AUTOENCODER_ERROR, type PublishedFigures } from './figures.ts'
import type { AutoencoderFigures, ReportEvaluation } from './report.ts'
import type { ReportRow } from './table.ts'

const COLUMNS = [
  { title: 'method' },
  { title: 'ACC', decimals: 4 },
  { title: 'NMI', decimals: 4 },
  { title: 'ARI', decimals: 4 },
  { title: 'silhouette', decimals: 3 },
  { title: 'seconds', decimals: 1 },
  { title: 'report: ACC' },
  { title: 'NMI' },
  { title: 'silhouette' },
]

const NOTES = `The report's figures are of its own data (node r206n05 of Marconi-100, 15310 windows × 460 features, 379 anomalous).
* in the report's text only: its notebooks compute this figure from the assignment of another row
** not in the report, but in its counts: 1 − 379/15310`

export function reportText(result: ReportEvaluation): string {
  const parts = [
    heading(result),
    renderTable(COLUMNS, result.rows.map(cells)),
    NOTES,
    ...remarks(result),
    autoencoderText(result.autoencoder),
    decText(result),
    conclusion(result.rows),
  ]
  return `${parts.join('\n\n')}\n`
}

function heading({ node, history, windows, features, k, model, options, seed }: ReportEvaluation): string {
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
  const anomalous = `${windows.anomalous} anomalous (${percent(windows.anomalous / windows.compared)})`
  const trained =
    options === null
      ? `model ${model}`
      : `trained here: preset report, ${[features, ...options.hidden, options.code].join('-')}, seed ${seed}`
  return [
    `node ${node}, ${day(history.fromMs)} to ${day(history.toMs)}: ${windows.compared} labelled windows × ${features} features, ${anomalous}`,
    `left out without a label: ${windows.unlabelled}; with a missing feature, taken as its mean: ${windows.incomplete}`,
    `${trained}; ${k} clusters in every row`,
  ].join('\n')
}

function cells(row: ReportRow): Cell[] {
  const { method, accuracy, nmi, ari, silhouette, seconds, published } = row
  return [
    method,
    accuracy,
    nmi,
    ari,
    silhouette,
    seconds,
    publishedAccuracy(row.method, published),
    published.nmi?.toFixed(4) ?? null,
    published.silhouette?.toFixed(3) ?? null,
  ]
}

function publishedAccuracy(method: string, { accuracy, supported }: PublishedFigures): string | null {
  if (accuracy === null) return null
  const mark = method === 'always normal' ? ' **' : supported ? '' : ' *'
  return `${accuracy}${mark}`
}

/** What a reader must know of single rows. */
function remarks({ rows, windows, model }: ReportEvaluation): string[] {
  const missing = rows.flatMap((row) => (row.missing === null ? [] : [`${row.method}: ${row.missing}`]))
  const sampled = rows.find((row) => row.silhouette !== null && row.silhouetteRows < windows.compared)
  const all = [
    ...missing,
    ...(sampled === undefined ? [] : [`silhouettes are of a sample of ${sampled.silhouetteRows} windows`]),
    ...(rows.every((row) => row.accuracy === null)
      ? ['all labels are the same: ACC, NMI and ARI have nothing to compare clusters with']
      : []),
    ...(model === null
      ? []
      : ["the code is the model's, after DEC; the report clusters that of the autoencoder before it"]),
  ]
  return all.length === 0 ? [] : [all.join('\n')]
}

function autoencoderText(figures: AutoencoderFigures): string {
  const { lastEpoch, epochs, error, meanPredictor, pca, components, plateau } = figures
  const limit = MEAN_PREDICTOR_LIMIT * meanPredictor
  const rows: Cell[][] = [
    [
      `epoch ${epochs}`,
      digits(lastEpoch),
      `at most ${PUBLISHED_AUTOENCODER_ERROR}, the report's`,
      yes(lastEpoch <= PUBLISHED_AUTOENCODER_ERROR),
    ],
    [
      'these windows',
      digits(error),
      `below ${digits(limit)}, ${MEAN_PREDICTOR_LIMIT} of the mean predictor's ${digits(meanPredictor)}`,
      yes(error < limit),
    ],
  ]
  if (pca !== null) {
    rows.push([
      'these windows',
      digits(error),
      `below ${digits(pca)}, PCA with ${components} components`,
      yes(error < pca),
    ])
  }
  const table = renderTable(
    [{ title: 'autoencoder' }, { title: 'MSE' }, { title: 'wanted' }, { title: 'reached' }],
    rows,
  )
  if (plateau === null) return table
  const { fromEpoch, toEpoch, escaped } = plateau
  return `${table}\nIt predicted the mean in epochs ${fromEpoch} to ${toEpoch}${escaped ? '' : ' and never left'}; the report's did so from 3 to about 53.`
}

function decText({ dec, rows }: ReportEvaluation): string {
  const sizes = rows.find((row) => row.method === 'DEC')?.sizes ?? []
  const changed = dec.changed === null ? '' : ` with ${percent(dec.changed)} changed`
  return `DEC: last update at iteration ${dec.iterations}${changed}, stopped by ${dec.stopped}; clusters of ${sizes.join(' and ')} windows`
}

/** Whether any clustering says more about the labels than saying nothing. */
function conclusion(rows: readonly ReportRow[]): string {
  const trivial = rows.find((row) => row.method === 'always normal')
  const clusterings = rows.filter((row) => row !== trivial)
  const best = clusterings.reduce<ReportRow | null>(
    (most, row) => ((row.accuracy ?? -1) > (most?.accuracy ?? -1) ? row : most),
    null,
  )
  if (trivial === undefined || trivial.accuracy === null || best === null || best.accuracy === null) {
    return 'Without both labels nothing is said about detection.'
  }
  const informed = clusterings.reduce((most, row) => Math.max(most, row.nmi ?? 0), 0)
  const verdict =
    best.accuracy > trivial.accuracy
      ? `${best.method} has a higher accuracy (${best.accuracy.toFixed(4)}) than always saying "normal" (${trivial.accuracy.toFixed(4)})`
      : `No clustering has a higher accuracy than always saying "normal" (${trivial.accuracy.toFixed(4)}; best: ${best.method}, ${best.accuracy.toFixed(4)})`
  return `${verdict}; the highest NMI of a clustering is ${informed.toFixed(4)} (0: clusters and labels are independent, 1: the same).`
}

function yes(reached: boolean): string {
  return reached ? 'yes' : 'no'
}

function digits(value: number): string {
  return value.toPrecision(3)
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}
