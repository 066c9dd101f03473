import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { request, rows, withHistory } from './parquet.ts'

const DATA = '../shared/data'
const skip = (name: string) => (existsSync(`${DATA}/${name}`) ? false : `${DATA}/${name} is not there`)

test('three server machines: every sample in one window, labels where known', {
  skip: skip('smd'),
}, async () => {
  await withHistory([`${DATA}/smd/*.parquet`], async (history) => {
    assert.equal(history.layout, 'wide-samples')
    assert.deepEqual(history.nodes, ['machine-1-6', 'machine-1-7', 'machine-2-1'])
    assert.equal(history.sensors.length, 38)
    const found = await rows(history, request(history.sensors))
    const samples = found.reduce((sum, row) => sum + row.counts.reduce((a, b) => a + b, 0), 0)
    let raw = 0
    for await (const batch of history.samples()) raw += batch.count
    assert.equal(samples, raw)
    assert.equal(found.length, 9480)
    assert.ok(found.every((row) => row.values.every(Number.isFinite)))
    const labels = [-1, 0, 1].map((label) => found.filter((row) => row.label === label).length)
    assert.deepEqual(labels, [4740, 4210, 530])
    const keys = found.map((row) => `${row.start} ${row.node}`)
    assert.deepEqual(keys, [...keys].sort())
  })
})

test('ten services: samples in time order', { skip: skip('js2') }, async () => {
  await withHistory([`${DATA}/js2`], async (history) => {
    assert.equal(history.nodes.length, 10)
    assert.equal(history.files.length, 20)
    let last = 0
    for await (const { count, timeMs } of history.samples()) {
      for (let i = 0; i < count; i++) {
        const time = timeMs[i] ?? Number.NaN
        if (!(time >= last)) assert.fail(`${time} after ${last}`)
        last = time
      }
    }
    assert.equal(last, history.toMs)
  })
})
