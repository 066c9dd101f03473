/** A folder of finished experiments, from which an interrupted run goes on. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Layer, layerSizes } from '../model/network.ts'
import type { Pretraining } from './report-model.ts'

/** What all rows of a folder have in common. */
export interface ExperimentHeader {
  /** sha256 over the windows. */
  fingerprint: string
  seed: number
  /** The options around which factors vary. */
  preset: unknown
}

export class ExperimentError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ExperimentError'
  }
}

const JOURNAL = 'journal.ndjson'
const RESULT = 'experiments.json'

/**
 * `journal.ndjson`: the header, then one line a finished experiment, appended as a whole. `pretrained-KEY.bin`: an autoencoder
 * that further experiments start from. `experiments.json`: the result, when all are done.
 */
export class ExperimentStore<Row> {
  /** Finished experiments by name. */
  readonly rows = new Map<string, Row>()
  private readonly directory: string

  /** Opens or makes the folder. Throws ExperimentError where it holds something else, or experiments on other data. */
  static open<Row>(directory: string, header: ExperimentHeader): ExperimentStore<Row> {
    const store = new ExperimentStore<Row>(directory)
    const path = join(directory, JOURNAL)
    if (!existsSync(path)) {
      if (existsSync(directory) && readdirSync(directory).length > 0) {
        throw new ExperimentError(
          `${directory} is not empty and holds no ${JOURNAL}; experiments need a folder of their own`,
        )
      }
      mkdirSync(directory, { recursive: true })
      replace(path, `${JSON.stringify(header)}\n`)
      return store
    }
    const [first = '', ...lines] = readFileSync(path, 'utf8').split('\n')
    if (first !== JSON.stringify(header)) {
      throw new ExperimentError(
        `${path} is of ${differences(first, header)}; choose another --out, or remove it to begin anew`,
      )
    }
    // Every whole line ends with a break; what follows the last one was cut short.
    const torn = lines.pop()
    for (const line of lines) {
      const { name, row } = JSON.parse(line) as { name: string; row: Row }
      store.rows.set(name, row)
    }
    if (torn !== '') replace(path, `${[first, ...lines].join('\n')}\n`)
    return store
  }

  private constructor(directory: string) {
    this.directory = directory
  }

  add(name: string, row: Row): void {
    appendFileSync(join(this.directory, JOURNAL), `${JSON.stringify({ name, row })}\n`)
    this.rows.set(name, row)
  }

  /** Writes the result beside the journal. */
  finish(result: unknown): void {
    replace(join(this.directory, RESULT), `${JSON.stringify(result, null, 2)}\n`)
  }

  /** A line of JSON, then the weights and biases of each layer as float32. */
  keepPretraining(key: string, { network, layers, ...rest }: Pretraining): void {
    const parts = layers.flatMap(({ weight, bias }) => [weight, bias])
    const bytes = parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
    const line = Buffer.from(`${JSON.stringify({ network, ...rest })}\n`)
    replace(this.pathOf(key), Buffer.concat([line, ...bytes]))
  }

  pretraining(key: string): Pretraining | null {
    const path = this.pathOf(key)
    if (!existsSync(path)) return null
    const data = readFileSync(path)
    const end = data.indexOf('\n')
    const head = JSON.parse(data.toString('utf8', 0, end)) as Omit<Pretraining, 'layers'>
    // A copy, since typed arrays want an aligned start.
    const values = new Float32Array(Uint8Array.from(data.subarray(end + 1)).buffer)
    let at = 0
    const take = (size: number): Float32Array => {
      at += size
      return values.slice(at - size, at)
    }
    const layers = layerSizes(head.network).map(([inputs, outputs]): Layer => {
      const weight = take(inputs * outputs)
      return { weight, bias: take(outputs), inputs, outputs }
    })
    return { ...head, layers }
  }

  removePretraining(key: string): void {
    rmSync(this.pathOf(key), { force: true })
  }

  private pathOf(key: string): string {
    return join(this.directory, `pretrained-${key}.bin`)
  }
}

/** Written beside and renamed. */
function replace(path: string, content: string | Uint8Array): void {
  writeFileSync(`${path}.tmp`, content)
  renameSync(`${path}.tmp`, path)
}

function differences(found: string, { fingerprint, seed }: ExperimentHeader): string {
  let header: Partial<ExperimentHeader>
  try {
    header = JSON.parse(found) as Partial<ExperimentHeader>
  } catch {
    return 'another kind'
  }
  if (header.fingerprint !== fingerprint) return 'other windows'
  if (header.seed !== seed) return `seed ${header.seed}, asked for was ${seed}`
  return 'another preset or configuration'
}
