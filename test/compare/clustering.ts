/**
 * The report's baselines and its silhouette against scikit-learn, on the features of a simulated node: same partition? how long?
 *
 *     python3 -m venv /tmp/sklearn && /tmp/sklearn/bin/pip install scikit-learn==1.9.1
 *     npx node test/compare/clustering.ts --python /tmp/sklearn/bin/python [--days 40]
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepare } from '../../src/bootstrap/prepare.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { ward } from '../../src/evaluate/agglomerative.ts'
import { adjustedRandIndex } from '../../src/evaluate/clustering.ts'
import { fitGaussianMixture } from '../../src/evaluate/gmm.ts'
import { labelledWindows } from '../../src/evaluate/published/windows.ts'
import { silhouette } from '../../src/evaluate/silhouette.ts'
import { renderTable } from '../../src/evaluate/table.ts'
import { openHistory } from '../../src/history/history.ts'
import { kMeans } from '../../src/model/kmeans.ts'
import { createRandom } from '../../src/model/random.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { machine } from './machine.ts'

const K = 2
const DAY_MS = 86_400_000
const FROM_MS = Date.parse('2020-03-09T00:00:00Z')

/** What `clustering_peer.py` writes. */
interface Peer {
  version: string
  seconds: Record<string, number>
  mixture: number[]
  ward: number[]
  silhouette: number
}

const { values } = parseArgs({
  options: { python: { type: 'string' }, days: { type: 'string', default: '40' } },
})
if (values.python === undefined) throw new Error('--python PATH of a Python with scikit-learn is needed')
const directory = mkdtempSync(join(tmpdir(), 'examon-dec-clustering-'))
try {
  const { points, d } = await simulate(Number(values.days))
  const seconds: Record<string, number> = {}
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    const result = await work()
    seconds[name] = (performance.now() - started) / 1000
    return result
  }
  const random = createRandom(1)
  const start = await kMeans(points, d, K, { restarts: 1, random })
  const mixture = await timed('Gaussian mixture', () => fitGaussianMixture(points, d, K, start.assignment))
  const agglomerative = await timed('Ward', () => ward(points, d, K))
  const width = await timed('silhouette', () => silhouette(points, d, start.assignment, { random }))

  writeFileSync(join(directory, 'points.f32'), points)
  writeFileSync(join(directory, 'start.json'), JSON.stringify({ d, k: K, start: [...start.assignment] }))
  execFileSync(values.python, ['-B', new URL('clustering_peer.py', import.meta.url).pathname, directory], {
    stdio: 'inherit',
  })
  const peer = JSON.parse(readFileSync(join(directory, 'peer.json'), 'utf8')) as Peer

  process.stdout.write(
    `${machine()}\n${points.length / d} windows × ${d} features, scikit-learn ${peer.version}\n\n`,
  )
  const agreement: Record<string, string> = {
    'Gaussian mixture': `adjusted Rand index ${adjustedRandIndex(mixture.assignment, peer.mixture)}`,
    Ward: `adjusted Rand index ${adjustedRandIndex(agglomerative, peer.ward)}`,
    silhouette: `difference ${Math.abs((width.mean ?? Number.NaN) - peer.silhouette).toExponential(1)}`,
  }
  const rows = Object.entries(agreement).map(([name, text]) => {
    const [ours, theirs] = [seconds[name] ?? Number.NaN, peer.seconds[name] ?? Number.NaN]
    return [name, text, ours, theirs, theirs / ours]
  })
  const columns = [
    { title: '' },
    { title: 'agreement' },
    { title: 'seconds', decimals: 1 },
    { title: 'scikit-learn', decimals: 1 },
    { title: 'ratio', decimals: 1 },
  ]
  process.stdout.write(`${renderTable(columns, rows)}\n`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/** Scaled features of one simulated node, as the report scales them. */
async function simulate(days: number): Promise<{ points: Float32Array; d: number }> {
  const [file = ''] = await writeHistory({
    directory,
    layout: 'windows',
    nodes: 1,
    seed: 1,
    fromMs: FROM_MS,
    toMs: FROM_MS + days * DAY_MS,
    faults: [],
  })
  const history = await openHistory([file])
  const training = { ...defaultConfig().training, preset: 'report' as const }
  const progress = { step: () => ({ advance() {}, finish() {} }) }
  const prepared = await prepare({ history, catalogue: null, training, progress })
  try {
    const { features } = await labelledWindows(prepared)
    return { points: features, d: prepared.rows.features }
  } finally {
    await prepared.release()
    history.close()
  }
}
