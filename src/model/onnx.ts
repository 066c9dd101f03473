/**
 * Writes ONNX models. Only what the graphs of this project need: nodes with int, float and list attributes, dense
 * initializers, one graph. Message layouts and field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto,
 * encoding: https://protobuf.dev/programming-guides/encoding/.
 */

/** IR version 8 and operator set 18 are read by every ONNX runtime since early 2023. */
const IR_VERSION = 8
const OPSET = 18

/** Element types by their number in TensorProto.DataType. */
const ELEMENT = { float: 1, int64: 7, double: 11 } as const
export type ElementType = keyof typeof ELEMENT
export type TensorData = Float32Array | Float64Array | BigInt64Array

/** Growing byte buffer with the few protobuf encodings that ONNX uses. */
class ProtoWriter {
  private bytes = new Uint8Array(1024)
  private length = 0

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  int(field: number, value: number | bigint): this {
    this.varint(BigInt(field << 3))
    this.varint(BigInt.asUintN(64, BigInt(value)))
    return this
  }

  float(field: number, value: number): this {
    this.varint(BigInt((field << 3) | 5))
    this.append(new Uint8Array(new Float32Array([value]).buffer))
    return this
  }

  data(field: number, value: Uint8Array): this {
    this.varint(BigInt((field << 3) | 2))
    this.varint(BigInt(value.length))
    this.append(value)
    return this
  }

  text(field: number, value: string): this {
    return this.data(field, Buffer.from(value, 'utf8'))
  }

  message(field: number, build: (writer: ProtoWriter) => void): this {
    const inner = new ProtoWriter()
    build(inner)
    return this.data(field, inner.finish())
  }

  private append(value: Uint8Array): void {
    const needed = this.length + value.length
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length))
      grown.set(this.bytes.subarray(0, this.length))
      this.bytes = grown
    }
    this.bytes.set(value, this.length)
    this.length = needed
  }

  private varint(value: bigint): void {
    const out: number[] = []
    while (value > 127n) {
      out.push(Number(value & 127n) | 128)
      value >>= 7n
    }
    out.push(Number(value))
    this.append(Uint8Array.from(out))
  }
}

export type Attribute = { int: number } | { float: number } | { ints: number[] }

/** A dimension: a fixed size, or a name for one that varies (`n`). */
export type Dimension = number | string

/** Collects nodes, inputs, outputs and initializers, and writes them as one model. */
export class OnnxGraph {
  private readonly nodes: Uint8Array[] = []
  private readonly initializers: Uint8Array[] = []
  private readonly inputs: Uint8Array[] = []
  private readonly outputs: Uint8Array[] = []
  private readonly constants = new Map<string, string>()
  private next = 0
  private readonly name: string

  constructor(name: string) {
    this.name = name
  }

  input(name: string, type: ElementType, shape: Dimension[]): string {
    this.inputs.push(valueInfo(name, type, shape))
    return name
  }

  /** Declares `name`, an input, initializer or result of a node, as an output of the graph. */
  output(name: string, type: ElementType, shape: Dimension[]): void {
    this.outputs.push(valueInfo(name, type, shape))
  }

  initializer(name: string, data: TensorData, shape: number[]): string {
    this.initializers.push(tensorProto(name, data, shape))
    return name
  }

  /** A scalar constant, shared between all its uses. */
  scalar(value: number, type: 'float' | 'double' = 'float'): string {
    const key = `${type}${value}`
    let name = this.constants.get(key)
    if (name === undefined) {
      name = `constant_${this.constants.size}`
      this.constants.set(key, name)
      this.initializer(name, type === 'float' ? Float32Array.of(value) : Float64Array.of(value), [])
    }
    return name
  }

  /** An int64 vector constant, the form in which operators take axes. */
  axes(...values: number[]): string {
    const key = `axes${values.join()}`
    let name = this.constants.get(key)
    if (name === undefined) {
      name = `constant_${this.constants.size}`
      this.constants.set(key, name)
      this.initializer(name, BigInt64Array.from(values, BigInt), [values.length])
    }
    return name
  }

  /** Adds a node with one result and returns the result's name; `out` names it, otherwise it gets a fresh one. */
  node(op: string, inputs: string[], attributes: Record<string, Attribute> = {}, out?: string): string {
    const result = out ?? `${op.toLowerCase()}_${this.next++}`
    const writer = new ProtoWriter()
    for (const input of inputs) writer.text(1, input)
    writer.text(2, result)
    // TopK also returns indices, which nothing here reads; a node must still name them.
    if (op === 'TopK') writer.text(2, `${result}_indices`)
    writer.text(3, result).text(4, op)
    for (const [name, value] of Object.entries(attributes)) {
      writer.message(5, (attribute) => {
        attribute.text(1, name)
        if ('float' in value) attribute.float(2, value.float).int(20, 1)
        else if ('int' in value) attribute.int(3, value.int).int(20, 2)
        else {
          for (const i of value.ints) attribute.int(8, i)
          attribute.int(20, 7)
        }
      })
    }
    this.nodes.push(writer.finish())
    return result
  }

  /** The serialised ModelProto. */
  build(): Uint8Array {
    const graph = (writer: ProtoWriter): void => {
      for (const node of this.nodes) writer.data(1, node)
      writer.text(2, this.name)
      for (const initializer of this.initializers) writer.data(5, initializer)
      for (const input of this.inputs) writer.data(11, input)
      for (const output of this.outputs) writer.data(12, output)
    }
    return new ProtoWriter()
      .int(1, IR_VERSION)
      .text(2, 'examon-dec')
      .message(7, graph)
      .message(8, (opset) => opset.text(1, '').int(2, OPSET))
      .finish()
  }
}

function valueInfo(name: string, type: ElementType, shape: Dimension[]): Uint8Array {
  const dimensions = (writer: ProtoWriter): void => {
    for (const size of shape) {
      writer.message(1, (dimension) => {
        if (typeof size === 'number') dimension.int(1, size)
        else dimension.text(2, size)
      })
    }
  }
  return new ProtoWriter()
    .text(1, name)
    .message(2, (t) => t.message(1, (tensor) => tensor.int(1, ELEMENT[type]).message(2, dimensions)))
    .finish()
}

function tensorProto(name: string, data: TensorData, shape: number[]): Uint8Array {
  const size = shape.reduce((product, n) => product * n, 1)
  if (size !== data.length) {
    throw new RangeError(`tensor ${name}: shape ${shape.join('×')} holds ${size} values, got ${data.length}`)
  }
  const type = data instanceof Float32Array ? 'float' : data instanceof Float64Array ? 'double' : 'int64'
  const writer = new ProtoWriter()
  for (const n of shape) writer.int(1, n)
  return writer
    .int(2, ELEMENT[type])
    .text(8, name)
    .data(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .finish()
}
