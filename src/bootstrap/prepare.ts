/** History → windows → selection → scaler → rows: everything that training and publishing read, in one directory. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TrainingConfig } from '../config/schema.ts'
import type { Catalogue } from '../examon/catalogue.ts'
import type { History } from '../history/types.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Rows } from '../model/rows.ts'
import { ScaledRows, writeScaledRows } from '../model/scaled-rows.ts'
import { fitScaler, type Scaler } from '../model/scaler.ts'
import { learnExpectedSamples } from '../windows/coverage.ts'
import { type FeatureSchema, featureCount } from '../windows/schema.ts'
import { WindowStore } from '../windows/store.ts'
import { writeDurably } from './durable.ts'
import { chooseFeatures } from './features.ts'
import { selectionOptions, windowOptions } from './presets.ts'
import type { Progress } from './progress.ts'
import { type Selection, selectWindows } from './select.ts'

/** Version of the directory's form; what another one holds is made anew. */
const FORMAT = 1

const FILES = {
  description: 'prepared.json',
  windows: 'windows',
  scaler: 'scaler.bin',
  rows: 'rows.f32',
} as const

export interface PrepareRequest {
  history: History
  catalogue: Catalogue | null
  training: TrainingConfig
  progress: Progress
  signal?: AbortSignal | undefined
}

export interface Prepared {
  directory: string
  schema: FeatureSchema
  catalogue: Manifest['catalogue']
  layout: History['layout']
  /** Names of the nodes that the windows index. */
  nodes: string[]
  /** All windows, each assigned to what it serves for. */
  store: WindowStore
  selection: Selection
  scaler: Scaler
  /** The scaled training windows, in the order of `store.windows('train')`. */
  rows: Rows
  /** sha256 over all windows. */
  fingerprint: string
  /** Closes the files; removes them where no directory was given to `prepare`. */
  release(): Promise<void>
}

/** What is not in a file of its own. */
type Description = Pick<
  Prepared,
  'schema' | 'catalogue' | 'layout' | 'nodes' | 'selection' | 'fingerprint'
> & { format: number; identity: string; windows: number }

/**
 * `directory`: where the files go and stay, by default a temporary one that `release` removes. What it held is lost.
 */
export async function prepare(request: PrepareRequest, directory?: string): Promise<Prepared> {
  const home = directory ?? mkdtempSync(join(tmpdir(), 'examon-dec-prepared-'))
  const remove = (): void => rmSync(home, { recursive: true, force: true })
  try {
    if (directory !== undefined) remove()
    await write(request, home)
    const prepared = await openPrepared(home)
    if (directory !== undefined) return prepared
    return {
      ...prepared,
      async release() {
        await prepared.release()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

/** Opens, read only, what `prepare` has left in a directory; other processes may have it open as well. */
export async function openPrepared(directory: string): Promise<Prepared> {
  const { identity: _, format: __, windows, ...description } = readDescription(directory)
  const { schema, nodes, selection } = description
  const scaler = readScaler(join(directory, FILES.scaler), nodes, schema)
  const home = join(directory, FILES.windows)
  const store = new WindowStore(featureCount(schema), schema.metrics.length, home, { rows: windows })
  try {
    const rows = await ScaledRows.open(join(directory, FILES.rows), selection.train, scaler.features)
    const release = async (): Promise<void> => {
      await rows.release()
      store.close()
    }
    return { directory, ...description, store, scaler, rows, release }
  } catch (error) {
    store.close()
    throw error
  }
}

/** Why what a directory holds does not answer the request, for people; null when it does. */
export function unfitReason(directory: string, request: PrepareRequest): string | null {
  if (!existsSync(join(directory, FILES.description))) return 'the history was not read to its end'
  const found = readDescription(directory)
  if (found.format !== FORMAT) return 'another version of this program has written it'
  if (found.identity !== identity(request)) {
    return 'the history, the catalogue or the options of windows and selection have changed'
  }
  return null
}

function readDescription(directory: string): Description {
  return JSON.parse(readFileSync(join(directory, FILES.description), 'utf8')) as Description
}

/** Everything that decides the windows and what they serve for; the history by its files' paths, sizes and times. */
function identity({ history, catalogue, training }: PrepareRequest): string {
  const files = history.files.map((file) => {
    const { size, mtimeMs } = statSync(file)
    return [resolve(file), size, mtimeMs]
  })
  const parts = [files, catalogue, windowOptions(training), selectionOptions(training)]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

async function write(request: PrepareRequest, home: string): Promise<void> {
  const { history, catalogue, training, progress, signal } = request
  const schema = chooseFeatures(history, catalogue, windowOptions(training))
  const store = new WindowStore(featureCount(schema), schema.metrics.length, join(home, FILES.windows))
  try {
    const fingerprint = await readWindows(history, schema, store, progress, signal)
    const expected = learnExpectedSamples(store)
    schema.metrics.forEach((metric, m) => {
      metric.expectedSamples = history.fixed === null ? (expected[m] ?? null) : 1
    })
    const selecting = selectionOptions(training)
    const selection = selectWindows(store, schema.metrics, selecting)
    const scaling = progress.step('fit scaler')
    const plain = { plain: selecting.plainScaler }
    const scaler = await fitScaler(store.windows('train'), history.nodes, schema.transforms, plain, signal)
    await writeScaledRows(store.windows('train'), scaler, join(home, FILES.rows), signal)
    scaling.finish(`${history.nodes.length} nodes`)
    writeScaler(join(home, FILES.scaler), scaler)
    store.sync()
    const description: Description = {
      format: FORMAT,
      identity: identity(request),
      schema,
      catalogue: catalogue === null ? null : describeCatalogue(catalogue, schema),
      layout: history.layout,
      nodes: history.nodes,
      windows: store.rows,
      selection,
      fingerprint,
    }
    // Last: with it the directory is whole.
    writeDurably(join(home, FILES.description), [Buffer.from(JSON.stringify(description))])
  } finally {
    store.close()
  }
}

function describeCatalogue(catalogue: Catalogue, schema: FeatureSchema): Manifest['catalogue'] {
  return {
    site: catalogue.site,
    sha256: createHash('sha256').update(JSON.stringify(catalogue)).digest('hex'),
    units: unitsOf(catalogue, schema),
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

function writeScaler(path: string, { lo, range, mean }: Scaler): void {
  const parts = [lo, range, mean].map((data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  writeDurably(path, parts)
}

function readScaler(path: string, nodes: string[], schema: FeatureSchema): Scaler {
  const features = featureCount(schema)
  const size = (nodes.length + 1) * features
  // A copy, since typed arrays want an aligned start.
  const { buffer } = Uint8Array.from(readFileSync(path))
  return {
    nodes,
    features,
    transforms: schema.transforms,
    lo: new Float64Array(buffer, 0, size),
    range: new Float64Array(buffer, 8 * size, size),
    mean: new Float32Array(buffer, 16 * size, size),
  }
}
