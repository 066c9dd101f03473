/** The state of a training on disk, from which it goes on bit for bit. */
import { readFileSync } from 'node:fs'
import type { PretrainState } from '../model/autoencoder.ts'
import type { DecState } from '../model/dec.ts'
import type { LayerwiseState } from '../model/layerwise.ts'
import { writeDurably } from './durable.ts'

/** Version of the file's form; another one is not read. */
const FORMAT = 1

/** Where a training is: the last stage that is not null has begun, the ones before it are done. */
export interface TrainingState {
  meanPredictor: number
  /** After the last layer. */
  layerwise: LayerwiseState | null
  /** After the autoencoder's last epoch. */
  pretrain: PretrainState | null
  /** After the last update of the target distribution. */
  dec: DecState | null
}

/** What precedes the tensors in the file. In `state` a tensor is `{ tensor: its number }`. */
interface Header {
  format: number
  identity: string
  state: unknown
  /** Values of each tensor. */
  lengths: number[]
}

/**
 * Replaces the state at `path`, durably. `identity` tells everything that the state depends on. The file holds the length
 * of a JSON header (uint32, little-endian), the header, and the tensors as float32.
 */
export function saveState(path: string, identity: string, state: TrainingState): void {
  const tensors: Float32Array[] = []
  const plain: unknown = JSON.parse(
    JSON.stringify(state, (_, value: unknown) =>
      value instanceof Float32Array ? { tensor: tensors.push(value) - 1 } : value,
    ),
  )
  const lengths = tensors.map((tensor) => tensor.length)
  const text = Buffer.from(
    JSON.stringify({ format: FORMAT, identity, state: plain, lengths } satisfies Header),
  )
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  const data = tensors.map((t) => new Uint8Array(t.buffer, t.byteOffset, t.byteLength))
  writeDurably(path, [length, text, ...data])
}

/** The state at `path`, or null where it is of another identity or damaged. */
export function loadState(path: string, identity: string): TrainingState | null {
  const file = readFileSync(path)
  try {
    return parseState(file, identity)
  } catch {
    // A training from its beginning is better than one that nobody can start.
    return null
  }
}

function parseState(file: Buffer, identity: string): TrainingState | null {
  const start = 4 + file.readUInt32LE(0)
  const header = JSON.parse(file.toString('utf8', 4, start)) as Header
  if (header.format !== FORMAT || header.identity !== identity) return null
  // A copy, since typed arrays want an aligned start.
  const { buffer } = Uint8Array.from(file.subarray(start))
  let at = 0
  const tensors = header.lengths.map((length) => {
    const tensor = new Float32Array(buffer, at, length)
    at += tensor.byteLength
    return tensor
  })
  return revive(header.state, tensors) as TrainingState
}

/** Puts the tensors back in their places. */
function revive(value: unknown, tensors: readonly Float32Array[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((each) => revive(each, tensors))
  if ('tensor' in value && typeof value.tensor === 'number') return tensors[value.tensor]
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, revive(each, tensors)]))
}
