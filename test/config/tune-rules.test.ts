import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { formatSize, parseSize } from '../../src/config/size.ts'
import { rulesOfData, type TuneFacts } from '../../src/config/tune-rules.ts'
import { folder } from '../history/parquet.ts'

const facts: TuneFacts = {
  features: 20,
  rows: 400,
  labels: { anomalous: 0, normal: 90 },
  memory: parseSize('100MiB'),
  needed: parseSize('0.25GiB'),
}

test('a search that the history has no room for is refused with each place', () => {
  const file = join(folder(), 'tune.yaml')
  writeFileSync(
    file,
    `tune:
  criterion: auroc
  memory: 100MiB
  space:
    code: {min: 2, max: 40, scale: log}
    centres: [8, 401]
    pretrain: {batch: [32, 512]}
`,
  )
  assert.throws(
    () => checkConfig(file, rulesOfData(facts)),
    (error) => {
      assert.ok(error instanceof ConfigError)
      assert.deepEqual(error.problems, [
        `${file}:2:14: tune.criterion: auroc needs labels of both classes, but the held-out windows hold 0 labelled anomalous and 90 labelled normal`,
        `${file}:3:11: tune.memory: 100 MiB is below the 256 MiB that the largest trial is expected to need`,
        `${file}:5:25: tune.space.code.max: 40 is more than the 20 features of this history`,
        `${file}:6:18: tune.space.centres[1]: 401 is more than the 400 training windows of this history`,
        `${file}:7:28: tune.space.pretrain.batch[1]: 512 is more than the 400 training windows of this history`,
      ])
      return true
    },
  )
})

test('sizes are read in binary units and written with three digits', () => {
  assert.equal(parseSize('1.5GiB'), 1.5 * 2 ** 30)
  assert.deepEqual(
    [formatSize(1.5 * 2 ** 30), formatSize(310 * 2 ** 20), formatSize(0)],
    ['1.50 GiB', '310 MiB', '0.00 KiB'],
  )
})
