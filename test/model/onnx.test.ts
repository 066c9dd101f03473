import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OnnxGraph } from '../../src/model/onnx.ts'
import * as ort from '../../src/model/runtime.ts'

async function run(graph: OnnxGraph, feeds: Record<string, ort.Tensor>): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(graph.build())
  try {
    return { ...(await session.run(feeds)) }
  } finally {
    await session.release()
  }
}

/** The values of a tensor of floats or doubles. */
function numbers(tensor: ort.Tensor | undefined): number[] {
  const data = tensor?.data
  assert.ok(data instanceof Float32Array || data instanceof Float64Array)
  return [...data]
}

const float = (data: number[], shape: number[]): ort.Tensor =>
  new ort.Tensor('float32', Float32Array.from(data), shape)

test('float and int attributes, initializers, a bias: Gemm, Relu, Softmax', async () => {
  const g = new OnnxGraph('dense')
  const x = g.input('x', 'float', ['n', 2])
  const weight = g.initializer('w', Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2])
  const bias = g.initializer('b', Float32Array.of(0, -100, 1), [3])
  const sum = g.node('Gemm', [x, weight, bias], { transB: { int: 1 }, alpha: { float: 0.5 } })
  g.node('Relu', [sum], {}, 'y')
  g.output('y', 'float', ['n', 3])
  g.node('Softmax', ['y'], { axis: { int: -1 } }, 'share')
  g.output('share', 'float', ['n', 3])
  const { y, share } = await run(g, { x: float([2, 4, 0, -2], [2, 2]) })
  // Row one: 0.5·(2·1 + 4·2), 0.5·(2·3 + 4·4) − 100, 0.5·(2·5 + 4·6) + 1.
  assert.deepEqual(numbers(y), [5, 0, 18, 0, 0, 0])
  assert.deepEqual(y?.dims, [2, 3])
  const second = numbers(share).slice(3)
  for (const value of second)
    assert.ok(Math.abs(value - 1 / 3) < 1e-6, 'a negative attribute reached the node')
})

test('double and int64 tensors, Gather, IsNaN, Where, Cast', async () => {
  const g = new OnnxGraph('rows')
  const x = g.input('x', 'double', ['n', 2])
  const row = g.input('row', 'int64', ['n'])
  const table = g.initializer('table', Float64Array.of(10, 20, 30, 40, 50, 60), [3, 2])
  const picked = g.node('Gather', [table, row])
  const value = g.node('Where', [g.node('IsNaN', [x]), picked, g.node('Mul', [x, g.scalar(2, 'double')])])
  g.node('Identity', [value], {}, 'value')
  g.output('value', 'double', ['n', 2])
  g.node('Cast', [row], { to: { int: 1 } }, 'narrow')
  g.output('narrow', 'float', ['n'])
  const { value: out, narrow } = await run(g, {
    x: new ort.Tensor('float64', Float64Array.of(1e-12, Number.NaN, Number.NaN, 3), [2, 2]),
    row: new ort.Tensor('int64', BigInt64Array.of(2n, 0n), [2]),
  })
  assert.deepEqual(numbers(out), [2e-12, 60, 10, 6])
  assert.deepEqual(numbers(narrow), [2, 0])
})

test('lists as attributes (Transpose) and as inputs (ReduceSum), and a second output (TopK)', async () => {
  const g = new OnnxGraph('axes')
  const x = g.input('x', 'float', [2, 3])
  g.node('Transpose', [x], { perm: { ints: [1, 0] } }, 'turned')
  g.output('turned', 'float', [3, 2])
  g.node('ReduceSum', [x, g.axes(1)], { keepdims: { int: 0 } }, 'sums')
  g.output('sums', 'float', [2])
  g.node('ReduceSum', [x, g.axes(-1)], { keepdims: { int: 1 } }, 'kept')
  g.output('kept', 'float', [2, 1])
  g.node('TopK', [x, g.axes(2)], {}, 'largest')
  g.output('largest', 'float', [2, 2])
  const out = await run(g, { x: float([1, 5, 2, 9, 7, 8], [2, 3]) })
  assert.deepEqual(numbers(out.turned), [1, 9, 5, 7, 2, 8])
  assert.deepEqual(numbers(out.sums), [8, 24])
  assert.deepEqual(out.kept?.dims, [2, 1])
  assert.deepEqual(numbers(out.largest), [5, 2, 9, 8])
})

test('constants are shared by value and type', () => {
  const g = new OnnxGraph('constants')
  assert.equal(g.scalar(2), g.scalar(2))
  assert.equal(g.axes(1), g.axes(1))
  assert.equal(new Set([g.scalar(1), g.scalar(2), g.scalar(1, 'double'), g.axes(1), g.axes(1, 2)]).size, 5)
})

test('an initializer of several MB and a name beyond ASCII survive', async () => {
  const size = 1_500_000
  const g = new OnnxGraph('größe')
  const table = g.initializer(
    'tabelle_ü',
    Float32Array.from({ length: size }, (_, i) => i),
    [size],
  )
  const at = g.input('at', 'int64', ['n'])
  g.node('Gather', [table, at], {}, 'picked')
  g.output('picked', 'float', ['n'])
  const { picked } = await run(g, {
    at: new ort.Tensor('int64', BigInt64Array.of(0n, 127n, 128n, 1_499_999n), [4]),
  })
  assert.deepEqual(numbers(picked), [0, 127, 128, 1_499_999])
})

test('a tensor that does not fill its shape is refused', () => {
  const g = new OnnxGraph('wrong')
  assert.throws(() => g.initializer('w', new Float32Array(5), [2, 3]), {
    name: 'RangeError',
    message: 'tensor w: shape 2×3 holds 6 values, got 5',
  })
})

test('the runtime refuses shapes that do not fit the declared ones', async () => {
  const g = new OnnxGraph('fixed')
  const x = g.input('x', 'float', ['n', 2])
  g.node('Relu', [x], {}, 'y')
  g.output('y', 'float', ['n', 2])
  await assert.rejects(run(g, { x: float([1, 2, 3], [1, 3]) }), /invalid dimensions/)

  const mismatched = new OnnxGraph('mismatched')
  mismatched.input('x', 'float', [2, 2])
  mismatched.node('Gemm', ['x', mismatched.initializer('w', new Float32Array(6), [3, 2])], {}, 'y')
  mismatched.output('y', 'float', [2, 2])
  await assert.rejects(run(mismatched, { x: float([1, 2, 3, 4], [2, 2]) }))
})

test('the same calls write the same bytes', () => {
  const build = (): Uint8Array => {
    const g = new OnnxGraph('same')
    const x = g.input('x', 'float', ['n', 2])
    g.node('Mul', [x, g.scalar(3)], {}, 'y')
    g.output('y', 'float', ['n', 2])
    return g.build()
  }
  assert.deepEqual(build(), build())
})
