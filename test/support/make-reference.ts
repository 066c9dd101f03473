/**
 * Makes the reference bundle and the table of windows with their scores anew: `npm run reference`. Only for a change
 * of the bundle's form or of the score that is meant: `test/model/reference.test.ts` holds both as they are.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap } from '../../src/bootstrap/bootstrap.ts'
import { createProgress } from '../../src/cli/output.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { loadCatalogue } from '../../src/examon/catalogue.ts'
import { openHistory } from '../../src/history/history.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { planFaults } from '../../src/simulator/faults.ts'
import { writeHistory } from '../../src/simulator/history.ts'
import { placeNodes } from '../../src/simulator/layout.ts'
import { featureCount } from '../../src/windows/schema.ts'
import { REFERENCE_BUNDLE, REFERENCE_WINDOWS, type ReferenceWindows, scoreReference } from './reference.ts'

const NODES = 2
const SEED = 1
const FROM = Date.parse('2020-03-09T00:00:00Z')
const DAY_MS = 86_400_000
/** Windows of the table: a quiet stretch and the beginning of a fault. */
const WINDOWS = 32

const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-reference-'))
try {
  const { training } = defaultConfig()
  const middle = FROM + 2 * DAY_MS
  const live = { fromMs: middle, toMs: middle + DAY_MS }
  const faults = planFaults({ nodes: placeNodes(NODES), seed: SEED, ...live, count: 2 })
  const common = { layout: 'samples' as const, nodes: NODES, seed: SEED }
  await writeHistory({ ...common, directory: join(scratch, 'train'), fromMs: FROM, toMs: middle, faults: [] })
  await writeHistory({ ...common, directory: join(scratch, 'live'), ...live, faults })

  const train = await openHistory([join(scratch, 'train/*.parquet')])
  await bootstrap({
    history: train,
    catalogue: loadCatalogue(new URL('../../config/marconi100.catalogue.yaml', import.meta.url).pathname),
    training: { ...training, hidden: [64, 32], seed: SEED },
    out: REFERENCE_BUNDLE,
    progress: createProgress(),
  })
  train.close()

  const bundle = openBundle(REFERENCE_BUNDLE)
  const { schema } = bundle.manifest
  const history = await openHistory([join(scratch, 'live/*.parquet')])
  const first = Math.min(...faults.map(({ startMs }) => startMs)) - (WINDOWS / 4) * schema.everySeconds * 1000
  const table: ReferenceWindows = { model: bundle.version, windows: [] }
  const d = featureCount(schema)
  for await (const block of history.windows(schema)) {
    for (let row = 0; row < block.rows && table.windows.length < WINDOWS; row++) {
      const startMs = block.start[row]!
      if (startMs < first) continue
      const values = Array.from(block.values.subarray(row * d, (row + 1) * d), (value) =>
        Number.isNaN(value) ? null : value,
      )
      table.windows.push({ node: history.nodes[block.node[row]!]!, startMs, values, score: null, mode: null })
    }
  }
  history.close()
  const scored = await scoreReference(bundle, table.windows)
  table.windows.forEach((window, i) => {
    Object.assign(window, { score: scored[i]?.score ?? null, mode: scored[i]?.mode ?? null })
  })
  const rows = table.windows.map((window) => `    ${JSON.stringify(window)}`).join(',\n')
  writeFileSync(REFERENCE_WINDOWS, `{\n  "model": "${table.model}",\n  "windows": [\n${rows}\n  ]\n}\n`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
