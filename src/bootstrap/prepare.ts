/** History → windows → selection → scaler → rows: everything that training and publishing read. */
import { createHash } from 'node:crypto'
import type { TrainingConfig } from '../config/schema.ts'
import type { Catalogue } from '../examon/catalogue.ts'
import type { History } from '../history/types.ts'
import type { Manifest } from '../model/manifest.ts'
import { type Rows, ScaledRows } from '../model/rows.ts'
import { fitScaler, type Scaler } from '../model/scaler.ts'
import { learnExpectedSamples, storeCoverage } from '../windows/coverage.ts'
import { type FeatureSchema, featureCount } from '../windows/schema.ts'
import { WindowStore } from '../windows/store.ts'
import { chooseFeatures } from './features.ts'
import { selectionOptions, windowOptions } from './presets.ts'
import type { Progress } from './progress.ts'
import { type Selection, selectWindows } from './select.ts'

export interface PrepareRequest {
  history: History
  catalogue: Catalogue | null
  training: TrainingConfig
  progress: Progress
  signal?: AbortSignal | undefined
}

export interface Prepared {
  schema: FeatureSchema
  catalogue: Manifest['catalogue']
  layout: History['layout']
  /** Names of the nodes that the windows index. */
  nodes: string[]
  store: WindowStore
  selection: Selection
  scaler: Scaler
  /** The scaled training windows, in the order of `selection.train`. */
  rows: Rows
  /** sha256 over all windows. */
  fingerprint: string
  /** Removes the files. */
  release(): Promise<void>
}

export async function prepare(request: PrepareRequest): Promise<Prepared> {
  const { history, catalogue, training, progress, signal } = request
  const schema = chooseFeatures(history, catalogue, windowOptions(training))
  const store = new WindowStore(featureCount(schema), schema.metrics.length)
  try {
    const fingerprint = await readWindows(history, schema, store, progress, signal)
    const expected = learnExpectedSamples(store)
    schema.metrics.forEach((metric, m) => {
      metric.expectedSamples = history.fixed === null ? (expected[m] ?? null) : 1
    })
    const selecting = selectionOptions(training)
    const selection = selectWindows(store, storeCoverage(schema, store), selecting)
    const scaling = progress.step('fit scaler')
    const scaler = fitScaler(store, history.nodes, schema.transforms, selection.train, {
      plain: selecting.plainScaler,
    })
    const rows = await ScaledRows.create(
      store,
      scaler,
      selection.train,
      signal === undefined ? {} : { signal },
    )
    scaling.finish(`${history.nodes.length} nodes`)
    return {
      schema,
      catalogue:
        catalogue === null
          ? null
          : {
              site: catalogue.site,
              sha256: createHash('sha256').update(JSON.stringify(catalogue)).digest('hex'),
              units: unitsOf(catalogue, schema),
            },
      layout: history.layout,
      nodes: history.nodes,
      store,
      selection,
      scaler,
      rows,
      fingerprint,
      async release() {
        await rows.release()
        store.close()
      },
    }
  } catch (error) {
    store.close()
    throw error
  }
}

/** Spills all windows into the store; returns the sha256 over them. */
async function readWindows(
  history: History,
  schema: FeatureSchema,
  store: WindowStore,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const step = progress.step('read windows', history.toMs - history.fromMs)
  const hash = createHash('sha256').update(history.nodes.join('\n'))
  for await (const block of history.windows(schema, signal === undefined ? {} : { signal })) {
    store.append(block)
    for (const data of [block.node, block.start, block.values, block.label]) {
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
    const at = block.start[block.rows - 1] ?? history.fromMs
    step.advance(at - history.fromMs, `${store.rows} windows`)
  }
  step.finish(`${store.rows} windows of ${history.nodes.length} nodes, ${store.features} features`)
  return hash.digest('hex')
}

/** Unit of each metric of the schema that the catalogue gives one. */
function unitsOf(catalogue: Catalogue, schema: FeatureSchema): Record<string, string> {
  const known = new Map(catalogue.metrics.map(({ name, unit }) => [name, unit]))
  return Object.fromEntries(
    schema.metrics.flatMap(({ name }) => {
      const unit = known.get(name)
      return unit === undefined || unit === '' ? [] : [[name, unit]]
    }),
  )
}
