import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBundle } from '../../src/model/bundle.ts'
import { OnnxGraph } from '../../src/model/onnx.ts'
import { doubleTensor, floatTensor, readTensors } from '../../src/model/tensors.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

test('what the writer stores is read back to the bit', () => {
  const g = new OnnxGraph('g')
  const floats = Float32Array.of(1.5, -2.25, Number.NaN, 1e-38, 5, 6)
  const doubles = Float64Array.from({ length: 300 }, (_, i) => Math.sqrt(i))
  g.initializer('floats', floats, [2, 3])
  g.initializer('doubles', doubles, [300])
  g.initializer('ints', BigInt64Array.of(-1n, 7n), [2])
  g.scalar(0.5)
  const tensors = readTensors(g.build())
  assert.deepEqual(tensors.get('floats'), { shape: [2, 3], data: floats })
  assert.deepEqual(doubleTensor(tensors, 'doubles'), doubles)
  assert.deepEqual(tensors.get('ints')?.data, BigInt64Array.of(-1n, 7n))
  assert.deepEqual(tensors.get('constant_0'), { shape: [], data: Float32Array.of(0.5) })
  assert.throws(() => floatTensor(tensors, 'doubles'), /no float tensor "doubles"/)
  assert.throws(() => readTensors(g.build().subarray(0, 200)), /cut short/)
})

test('a bundle tells its centres and its scaler', () => {
  const { manifest, model } = openBundle(REFERENCE_BUNDLE)
  const tensors = readTensors(model)
  const code = manifest.network.widths[manifest.network.codeLayer]
  assert.deepEqual(tensors.get('centres')?.shape, [manifest.modes.length, code])
  assert.deepEqual(tensors.get('lo')?.shape, [manifest.scaler.nodes.length + 1, manifest.network.widths[0]])
})
