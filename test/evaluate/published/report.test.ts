import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  evaluateReport,
  type ReportEvaluation,
  type ReportRequest,
} from '../../../src/evaluate/published/report.ts'
import { reportText } from '../../../src/evaluate/published/text.ts'
import { openBundle } from '../../../src/model/bundle.ts'
import { run as bootstrap, place, silent } from '../../bootstrap/machine.ts'
import { withHistory } from '../../history/parquet.ts'
import { ANOMALOUS, type NodeFileOptions, smallPreset, WINDOWS, writeNode } from '../node-file.ts'

function report(files: string[], changes: Partial<ReportRequest> = {}): Promise<ReportEvaluation> {
  return withHistory(files, (history) =>
    evaluateReport({ history, training: smallPreset(), bundle: null, progress: silent, ...changes }),
  )
}

const METHODS = [
  'k-means on features',
  'GMM on features',
  'agglomerative on features',
  'k-means on code',
  'GMM on code',
  'agglomerative on code',
  'DEC',
  'always normal',
]

test('the table has every row of the report, with its figures beside ours', async () => {
  const result = await report([await writeNode()])
  assert.deepEqual(
    result.rows.map((row) => row.method),
    METHODS,
  )
  assert.deepEqual(result.windows, {
    read: WINDOWS,
    unlabelled: 0,
    compared: WINDOWS,
    anomalous: ANOMALOUS,
    incomplete: 0,
  })
  assert.deepEqual([result.node, result.features, result.k, result.model], ['r206n05', 12, 2, null])
  for (const row of result.rows) {
    assert.equal(
      row.sizes.reduce((a, b) => a + b),
      WINDOWS,
      row.method,
    )
    assert.ok(row.accuracy !== null && row.accuracy >= 0.5 && row.accuracy <= 1, row.method)
  }
  const [kMeans, , ward] = result.rows
  // The two modes of the node are what every clustering of its features finds.
  assert.ok(kMeans?.silhouette && kMeans.silhouette > 0.6)
  assert.deepEqual(kMeans.sizes, ward?.sizes)
  assert.ok(kMeans.nmi !== null && kMeans.nmi < 0.1)
  const normal = result.rows.at(-1)
  assert.deepEqual([normal?.accuracy, normal?.nmi, normal?.silhouette], [1 - ANOMALOUS / WINDOWS, 0, null])
  const { autoencoder } = result
  assert.equal(autoencoder.epochs, 20)
  assert.ok(autoencoder.error < autoencoder.meanPredictor)
  assert.ok(autoencoder.pca !== null && autoencoder.pca < autoencoder.meanPredictor)
  const text = reportText(result)
  assert.match(text, /GMM on code .* 0\.74 \*/)
  assert.match(text, /DEC .* 0\.6987 +0\.0032 +0\.404/)
  assert.match(text, /always normal +0\.9375 +0\.0000 +0\.0000 +– +– +0\.9752 \*\*/)
  assert.match(text, /No clustering has a higher accuracy than always saying "normal" \(0\.9375/)
})

test('the same seed gives the same table', async () => {
  const files = [await writeNode()]
  const plain = (result: ReportEvaluation) => result.rows.map((row) => ({ ...row, seconds: 0 }))
  assert.deepEqual(plain(await report(files)), plain(await report(files)))
})

test('a bundle is judged as it is, on the code that it serves', async () => {
  const file = await writeNode()
  const { out } = place()
  const { version } = await bootstrap(file, out, { hidden: [8], centres: 3, pretrain: { epochs: 150 } })
  const result = await report([file], { bundle: openBundle(out) })
  assert.deepEqual([result.model, result.k, result.options], [version, 3, null])
  assert.deepEqual(result.windows.compared, WINDOWS)
  assert.equal(result.autoencoder.epochs, 150)
  assert.equal(result.rows[6]?.method, 'DEC')
  assert.equal(result.rows[6]?.seconds, null)
  assert.match(reportText(result), new RegExp(`model ${version}; 3 clusters`))
})

test('windows without a label and columns without a value are counted, not compared', async () => {
  const label = 'CASE WHEN i % 4 = 0 THEN NULL WHEN i BETWEEN 40 AND 59 THEN 2 ELSE 0 END'
  const gaps = ['avg', 'var', 'max', 'min']
    .map((statistic) => `, 'NaN'::DOUBLE AS "${statistic}:gone"`)
    .join('')
  const result = await report([await writeNode({ label, extra: gaps })])
  const { windows, features } = result
  assert.deepEqual(windows, {
    read: WINDOWS,
    unlabelled: WINDOWS / 4,
    compared: (3 * WINDOWS) / 4,
    anomalous: (3 * ANOMALOUS) / 4,
    incomplete: (3 * WINDOWS) / 4,
  })
  assert.equal(features, 16)
  for (const row of result.rows) assert.ok(Number.isFinite(row.accuracy), row.method)
})

test('labels of one class leave silhouette and autoencoder, and a word why the rest is missing', async () => {
  const result = await report([await writeNode({ label: '0' })])
  for (const { accuracy, nmi, ari } of result.rows) assert.deepEqual([accuracy, nmi, ari], [null, null, null])
  assert.ok(result.rows[0]?.silhouette)
  assert.match(reportText(result), /all labels are the same: ACC, NMI and ARI/)
})

test('what allows no table is refused before training, with the reason', async () => {
  const refuses = async (message: RegExp, files: NodeFileOptions[], training = smallPreset()) =>
    assert.rejects(report(await Promise.all(files.map(writeNode)), { training }), message)
  await refuses(/has no column of labels/, [{ label: null }])
  await refuses(/none of the 320 windows has a known label/, [{ label: 'NULL' }])
  await refuses(/one node; the history holds 2 \(r1, r2\)/, [{ name: 'r1.parquet' }, { name: 'r2.parquet' }])
  await refuses(/no feature varies over the 320 windows/, [{ load: '0', noise: 0 }])
  await refuses(/1 windows are left to train on, at least 50/, [{ windows: 1 }])
  await refuses(/60 labelled windows can't fill 61 clusters/, [{ windows: 60 }], smallPreset({ centres: 61 }))
})
