import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openHistory } from '../../src/history/history.ts'
import { ReplaySource } from '../../src/sources/replay.ts'
import type { SourceRecord } from '../../src/sources/source.ts'
import { folder, write } from '../history/parquet.ts'

const SECOND_US = 1_000_000

async function readAll(source: ReplaySource, timeoutMs = 1000): Promise<SourceRecord[]> {
  const records: SourceRecord[] = []
  for (;;) {
    const event = await source.poll(timeoutMs)
    if (event.kind === 'end') return records
    if (event.kind === 'records') records.push(...event.records)
  }
}

test('records in ExaMon form, in time order, with names escaped', async () => {
  const file = await write(
    folder(),
    'n.parquet',
    `SELECT * FROM (VALUES (TIMESTAMP '2020-03-09 00:00:20.05', 'rack 1/n#2', 1e21::DOUBLE, 0.1::FLOAT, 3), (TIMESTAMP '2020-03-09 00:00:00', 'rack 1/n#2', -0.1, NULL, 2))
      v(timestamp, node, "a+b", "100%", c)`,
  )
  const source = new ReplaySource({ history: await openHistory([file]), speed: 'max' })
  await source.start()
  assert.deepEqual(await source.poll(0), { kind: 'assigned', partitions: [0], isWhole: true })
  const records = await readAll(source)
  const topic = 'org/replay/cluster/replay/node/rack%201%2Fn%232/plugin/replay_pub/chnl/data/'
  assert.deepEqual(
    records.map(({ key, value, partition, offset }) => [`${key}`, `${value}`, partition, offset]),
    [
      [`${topic}a%2Bb`, '-0.1;1583712000.000', 0, 0],
      [`${topic}c`, '2;1583712000.000', 0, 1],
      [`${topic}a%2Bb`, '1e+21;1583712020.050', 0, 2],
      [`${topic}100%25`, '0.10000000149011612;1583712020.050', 0, 3],
      [`${topic}c`, '3;1583712020.050', 0, 4],
    ],
  )
  assert.equal(records[0]?.key, records[2]?.key)
  assert.deepEqual(source.progress(), [{ partition: 0, position: 5, end: 5 }])
  assert.deepEqual(await source.poll(0), { kind: 'end' })
  await source.close()
})

test('many samples come in events of a bounded size, none lost', async () => {
  const file = await write(
    folder(),
    'n.parquet',
    `SELECT make_timestamp(1583712000000000 + range * ${SECOND_US}) AS timestamp, range AS x, range AS y FROM range(100000)`,
  )
  const source = new ReplaySource({ history: await openHistory([file]), speed: 'max' })
  await source.start()
  let next = 0
  for (;;) {
    const event = await source.poll(1000)
    if (event.kind === 'end') break
    if (event.kind !== 'records') continue
    assert.ok(event.records.length <= 2000)
    for (const { value, offset } of event.records) {
      assert.equal(offset, next)
      const i = Math.floor(next++ / 2)
      assert.equal(`${value}`, `${i};${1583712000 + i}.000`)
    }
  }
  assert.equal(next, 200_000)
  await source.close()
})

test('a bounded speed keeps back what is not due', async () => {
  const file = await write(
    folder(),
    'n.parquet',
    `SELECT make_timestamp(1583712000000000 + range * 3600 * ${SECOND_US}) AS timestamp, range AS x FROM range(2)`,
  )
  const slow = new ReplaySource({ history: await openHistory([file]), speed: 1 })
  await slow.start()
  await slow.poll(0)
  const first = await slow.poll(60_000)
  assert.equal(first.kind === 'records' && first.records.length, 1)
  assert.deepEqual(await slow.poll(20), { kind: 'idle' })
  await slow.close()
  // An hour of history in 36 ms.
  const quick = new ReplaySource({ history: await openHistory([file]), speed: 100_000 })
  await quick.start()
  const started = performance.now()
  assert.equal((await readAll(quick)).length, 2)
  assert.ok(performance.now() - started >= 30)
  await quick.close()
})

test('finished windows can not be replayed; a wrong speed is refused', async () => {
  const file = await write(
    folder(),
    'n.parquet',
    "SELECT TIMESTAMP '2020-03-09' AS timestamp, 1 AS x_avg, 0 AS x_std, 1 AS x_max, 1 AS x_min",
  )
  const history = await openHistory([file])
  const source = new ReplaySource({ history, speed: 'max' })
  await assert.rejects(source.start(), {
    name: 'HistoryError',
    message: 'the history holds finished windows, no samples; it can not be replayed',
  })
  await source.close()
  assert.throws(() => new ReplaySource({ history, speed: 0 }), RangeError)
})
