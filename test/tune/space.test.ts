import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { modelOptions } from '../../src/bootstrap/presets.ts'
import { type Dimension, dimensions } from '../../src/config/choices.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { spaceSize } from '../../src/config/tune.ts'
import { defaultSpace, drawTrials, withValues } from '../../src/tune/space.ts'

const { training } = defaultConfig()

test('values lie within their ranges, whole where the key wants it, and both ends are drawn', () => {
  const space: Dimension[] = [
    { key: 'code', choices: { min: 3, max: 6, scale: 'log' } },
    { key: 'cluster.gamma', choices: { min: 0.01, max: 10, scale: 'log' } },
  ]
  const trials = drawTrials(space, 4000, 1)
  const codes = new Map<unknown, number>()
  let low = 0
  for (const values of trials) {
    codes.set(values.code, (codes.get(values.code) ?? 0) + 1)
    const gamma = values['cluster.gamma'] as number
    assert.ok(gamma >= 0.01 && gamma <= 10)
    if (gamma < 0.1) low++
  }
  assert.deepEqual([...codes.keys()].sort(), [3, 4, 5, 6])
  // Three decades: a third of the draws lies in the lowest; 4 standard deviations are .03.
  assert.ok(Math.abs(low / 4000 - 1 / 3) < 0.03, `${low}`)
})

test('a longer search begins with the same trials, another seed does not, and no point comes twice', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 12 }), (seed, count) => {
      const space: Dimension[] = [
        { key: 'centres', choices: [4, 8, 12] },
        { key: 'hidden', choices: [[8], [8, 4]] },
        { key: 'code', choices: { min: 2, max: 3, scale: 'linear' } },
      ]
      assert.equal(spaceSize(space), 12)
      const all = drawTrials(space, 12, seed)
      assert.equal(new Set(all.map((values) => JSON.stringify(values))).size, 12)
      assert.deepEqual(drawTrials(space, count, seed), all.slice(0, count))
    }),
  )
  const space = dimensions(defaultSpace(460, 10_000))
  assert.notDeepEqual(drawTrials(space, 3, 1), drawTrials(space, 3, 2))
})

test('values go where training reads them; what the optimiser has no use for is dropped', () => {
  const changed = withValues(
    { ...training, pretrain: { epochs: 7, layerwise: { epochs: 2, dropout: 0.1 } } },
    {
      hidden: [9],
      'pretrain.optimiser': 'adam',
      'pretrain.momentum': 0.5,
      'pretrain.layerwise.dropout': 0.3,
      'cluster.optimiser': 'sgd',
      'cluster.momentum': 0.7,
    },
  )
  assert.deepEqual(changed.pretrain, {
    epochs: 7,
    layerwise: { epochs: 2, dropout: 0.3 },
    optimiser: 'adam',
  })
  const options = modelOptions(changed, 20, 400)
  assert.deepEqual([options.hidden, options.cluster.optimiser], [[9], { kind: 'sgd', momentum: 0.7 }])
  assert.deepEqual(training.pretrain, {}, 'what was given is not changed')
})

test('the default space fits any history', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 50, max: 1e6 }), (features, rows) => {
      for (const values of drawTrials(dimensions(defaultSpace(features, rows)), 5, 1)) {
        const options = modelOptions(withValues(training, values), features, rows)
        assert.ok(options.code >= 1 && options.code <= features)
        assert.ok(options.cluster.centres >= 2 && options.cluster.centres <= rows)
        assert.ok(options.pretrain.batch <= rows)
      }
    }),
  )
})
