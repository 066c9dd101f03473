import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { nameModes } from '../../../src/evaluate/pictures/mode-names.ts'
import { modeTable } from '../../../src/evaluate/pictures/modes.ts'
import { scoreReference } from '../../../src/evaluate/pictures/reference-windows.ts'
import { modeMark } from '../../../src/evaluate/pictures/style.ts'
import { openBundle } from '../../../src/model/bundle.ts'
import { Scorer } from '../../../src/model/scorer.ts'
import { REFERENCE_BUNDLE } from '../../support/reference.ts'

const METRICS = [
  { name: 'gpu0_core_temp', unit: 'degC' },
  { name: 'total_power', unit: 'W' },
  { name: 'cpu_user', unit: '%' },
  { name: 'ambient', unit: 'degC' },
  { name: 'bytes_in', unit: 'bytes/s' },
]

function mode(mean: number[], deviation = mean.map(() => 0), windows = 10) {
  return { windows, mean: Float64Array.from(mean), deviation: Float64Array.from(deviation) }
}

function names(modes: ReturnType<typeof mode>[], metrics = METRICS): string[] {
  const standing = modes.map(({ mean }) => mean.map((value, m) => value - modes[0]!.mean[m]!))
  return nameModes(metrics, modes, standing, [...metrics.keys()])
}

describe('names of modes', () => {
  test('say what a node does, by the catalogue', () => {
    const modes = [
      mode([30, 400, 1, 20, 10]),
      mode([70, 2000, 15, 20, 10]),
      mode([31, 1100, 95, 20, 10]),
      mode([50, 1000, 20, 20, 10], [0, 500, 0, 0, 0]),
    ]
    assert.deepEqual(names(modes), [
      'idle',
      'GPU job at full power',
      'CPU job at medium power',
      'light load at medium power, changing',
    ])
  })

  test('tell alike modes apart by a class in which they differ', () => {
    const modes = [mode([30, 400, 1, 20, 10]), mode([70, 2000, 5, 20, 10]), mode([70, 2000, 5, 30, 10])]
    assert.deepEqual(names(modes), [
      'idle',
      'GPU job at full power, cool inlet',
      'GPU job at full power, warm inlet',
    ])
  })

  test('use no word that the metrics do not bear out', () => {
    const modes = [mode([40, 400, 20, 20, 10]), mode([42, 420, 21, 20, 10])]
    for (const name of names(modes)) assert.doesNotMatch(name, /job|idle|power at|load/)
    assert.deepEqual(
      names(
        modes,
        METRICS.map(({ name }) => ({ name, unit: '' })),
      ),
      ['near the mean', 'total_power high, gpu0_core_temp high'],
    )
    assert.equal(names([mode([1, 1, 1, 1, 1]), mode([9, 9, 9, 9, 9], undefined, 0)])[1], 'empty')
  })

  test('are all different, whatever the means', () => {
    const means = fc.array(
      fc.array(fc.double({ min: 0, max: 1e3, noNaN: true }), { minLength: 5, maxLength: 5 }),
      {
        minLength: 1,
        maxLength: 12,
      },
    )
    fc.assert(
      fc.property(means, (all) => {
        const given = names(all.map((mean) => mode(mean)))
        assert.equal(new Set(given).size, all.length)
      }),
    )
  })

  test('48 modes have marks of their own', () => {
    const marks = Array.from({ length: 48 }, (_, i) => JSON.stringify(modeMark(i)))
    assert.equal(new Set(marks).size, 48)
  })
})

describe('reference windows', () => {
  test('scored anew they are what the bundle keeps, in raw units where the node is known', async () => {
    const bundle = openBundle(REFERENCE_BUNDLE)
    const reference = await scoreReference(bundle)
    const d = bundle.manifest.schema.transforms.length
    const last = reference.rows - 1
    const scorer = await Scorer.create(bundle.model, d)
    const { scaled } = await scorer.score(
      reference.values.slice(last * d),
      Int32Array.of(reference.node[last]! + 1),
      1,
    )
    await scorer.release()
    const kept = bundle.reference.subarray(last * d)
    assert.ok(scaled.subarray(0, d).every((value, f) => Math.abs(value - kept[f]!) < 1e-5))
    const table = modeTable(bundle.manifest, reference)
    const m = table?.metrics.findIndex(({ name }) => name === 'ambient') ?? -1
    for (const { windows, mean } of table?.modes ?? []) {
      if (windows > 0) assert.ok(mean[m]! > 10 && mean[m]! < 40, `inlet air at ${mean[m]} °C`)
    }
    assert.ok(table !== null && table.telling.length > 2)
  })
})
