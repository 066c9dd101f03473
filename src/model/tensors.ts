/**
 * Reads the tensors that a model stores (its initializers): scaler, layers, centres, profiles. The counterpart of
 * `onnx.ts`, whose header names the message layouts.
 */
import { ModelError } from './errors.ts'
import type { TensorData } from './onnx.ts'

export interface StoredTensor {
  shape: number[]
  data: TensorData
}

/** Field numbers: ModelProto.graph, GraphProto.initializer, and of TensorProto. */
const GRAPH = 7
const INITIALIZER = 5
const DIMS = 1
const DATA_TYPE = 2
const NAME = 8
const RAW_DATA = 9

/** Every stored tensor by its name. The data is copied, so that the model's bytes need not be kept. */
export function readTensors(model: Uint8Array): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>()
  for (const graph of fields(model)) {
    if (graph.number !== GRAPH) continue
    for (const field of fields(graph.bytes)) {
      if (field.number !== INITIALIZER) continue
      const { name, tensor } = readTensor(field.bytes)
      tensors.set(name, tensor)
    }
  }
  return tensors
}

/** @throws ModelError `bundle_broken` when the model has no such tensor of this type. */
export function floatTensor(tensors: Map<string, StoredTensor>, name: string): Float32Array {
  const data = tensors.get(name)?.data
  if (data instanceof Float32Array) return data
  throw lacking('float', name)
}

/** @throws ModelError `bundle_broken` when the model has no such tensor of this type. */
export function doubleTensor(tensors: Map<string, StoredTensor>, name: string): Float64Array {
  const data = tensors.get(name)?.data
  if (data instanceof Float64Array) return data
  throw lacking('double', name)
}

function lacking(type: string, name: string): ModelError {
  return new ModelError(
    'bundle_broken',
    `the scoring graph has no ${type} tensor "${name}"; train the bundle anew with bootstrap`,
  )
}

function readTensor(bytes: Uint8Array): { name: string; tensor: StoredTensor } {
  const shape: number[] = []
  let type = 0
  let name = ''
  let raw: Uint8Array = new Uint8Array(0)
  for (const field of fields(bytes)) {
    if (field.number === DIMS) shape.push(field.value)
    else if (field.number === DATA_TYPE) type = field.value
    else if (field.number === NAME) name = Buffer.from(field.bytes).toString('utf8')
    else if (field.number === RAW_DATA) raw = field.bytes
  }
  // A copy: typed arrays want an aligned start.
  const { buffer } = Uint8Array.from(raw)
  const data =
    type === 1
      ? new Float32Array(buffer)
      : type === 11
        ? new Float64Array(buffer)
        : type === 7
          ? new BigInt64Array(buffer)
          : null
  const size = shape.reduce((product, n) => product * n, 1)
  if (data === null || data.length !== size) {
    throw new ModelError(
      'bundle_broken',
      `tensor "${name}" of the scoring graph: element type ${type}, shape ${shape.join('×')}, ${raw.length} bytes; types 1 (float), 7 (int64) and 11 (double) as raw data are read`,
    )
  }
  return { name, tensor: { shape, data } }
}

/** A protobuf field: `value` of a varint, `bytes` of a length-delimited one. */
interface Field {
  number: number
  value: number
  bytes: Uint8Array
}

const EMPTY = new Uint8Array(0)

function* fields(message: Uint8Array): Generator<Field> {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]
      if (byte === undefined) throw new ModelError('bundle_broken', 'the scoring graph is cut short')
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const number = Math.floor(key / 8)
    const wire = key % 8
    if (wire === 0) yield { number, value: varint(), bytes: EMPTY }
    else if (wire === 2) {
      const length = varint()
      if (at + length > message.length) {
        throw new ModelError('bundle_broken', 'the scoring graph is cut short')
      }
      yield { number, value: 0, bytes: message.subarray(at, at + length) }
      at += length
    } else if (wire === 5 || wire === 1) at += wire === 5 ? 4 : 8
    else throw new ModelError('bundle_broken', `the scoring graph has a field of wire type ${wire}`)
  }
}
