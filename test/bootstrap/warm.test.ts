import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { bootstrap } from '../../src/bootstrap/bootstrap.ts'
import type { BootstrapResult } from '../../src/bootstrap/publish.ts'
import { openBundle } from '../../src/model/bundle.ts'
import { folder, withHistory } from '../history/parquet.ts'
import { place, run, silent, training, writeMachine } from './machine.ts'

let machine: string
let old: BootstrapResult

before(async () => {
  machine = await writeMachine()
  old = await run(machine, place().out)
})

const warm = (
  file: string,
  changes: Parameters<typeof training>[0] = {},
  from = old.out,
): Promise<BootstrapResult> =>
  withHistory([file], (history) =>
    bootstrap({
      history,
      catalogue: null,
      training: training(changes),
      out: place().out,
      from,
      progress: silent,
    }),
  )

test('on the same history little moves, and a tenth of the epochs is enough', async () => {
  const result = await warm(machine)
  const { moved } = result
  assert.ok(moved !== undefined)
  const { manifest } = openBundle(result.out)
  assert.deepEqual(manifest.training.moved, moved)
  const before = openBundle(old.out).manifest
  assert.equal(manifest.training.pretrainLoss.length, before.training.pretrainLoss.length / 10)
  assert.deepEqual(manifest.network, before.network)
  assert.equal(moved.from, old.version)
  assert.equal(moved.windows, 460)
  // As the publishing of either measured it, but for the accuracy of single precision.
  assert.ok(Math.abs(moved.error.before / old.autoencoder.afterDec - 1) < 1e-3)
  assert.ok(Math.abs(moved.error.after / result.autoencoder.afterDec - 1) < 1e-3)
  assert.ok(moved.error.after < 1.2 * moved.error.before, JSON.stringify(moved.error))
  assert.deepEqual(moved.threshold, { before: old.threshold, after: result.threshold })
  assert.ok(moved.changedMode < 0.2, `${moved.changedMode}`)
  assert.deepEqual(
    moved.modes.map(({ shareAfter }) => shareAfter),
    result.modes,
  )
  assert.deepEqual(moved.modes.map(({ was }) => was).sort(), [...old.modes.keys()])
  moved.modes.forEach(({ was, shareBefore }) => {
    assert.ok(Math.abs(shareBefore - old.modes[was]!) < 1e-9)
  })
  assert.ok(moved.ranges.every(({ change }) => change === 0))
})

test('what has changed in the history is told: the range of one metric, in its own unit', async () => {
  // The fan turns twice as fast; all else is as it was.
  const faster = await writeMachine({ fan: 2 })
  const { moved } = await warm(faster)
  assert.ok(moved !== undefined)
  const [first, ...rest] = moved.ranges
  assert.match(first?.feature ?? '', /:fan$/)
  assert.ok(rest.filter(({ feature }) => !feature.endsWith(':fan')).every(({ change }) => change === 0))
  const max = moved.ranges.find(({ feature }) => feature === 'max:fan')
  assert.ok(max !== undefined && Math.abs(max.after[1] / max.before[1] - 2) < 0.01, JSON.stringify(max))
})

test('the same start, seed and history give the same bundle; epochs can be configured', async () => {
  const [a, b] = [await warm(machine), await warm(machine)]
  assert.equal(a.version, b.version)
  const { manifest } = openBundle((await warm(machine, { pretrain: { epochs: 3 } })).out)
  assert.equal(manifest.training.pretrainLoss.length, 3)
})

test('a model that does not fit is refused before the history is read, and the message names every difference', async () => {
  const other = await writeMachine({ extra: ', 1.0 * i AS pump' })
  await assert.rejects(warm(other, { window: 1800, code: 3 }), {
    name: 'ModelError',
    code: 'bundle_mismatch',
    message: `a model can't start from ${old.out}: 1 metric is not in the model: pump (pump); window, seconds 900 in the model, 1800 here; distance of windows, seconds 900 in the model, 1800 here; training.code ${openBundle(old.out).manifest.network.widths[3]} in the model, 3 here. Give the history and options of that model, or train without --from`,
  })
  await assert.rejects(warm(machine, {}, join(folder(), 'nothing')), { code: 'bundle_missing' })
})
