import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openHistory } from '../../src/history/history.ts'
import { LAYOUTS } from '../../src/history/layout.ts'
import { folder, request, rows, withHistory, write } from './parquet.ts'

const AT = "TIMESTAMP '2020-03-09 00:00:00' AS timestamp"
const MS = '1583712000000::BIGINT AS timestamp'

/** Query of the file `n.parquet`, and the message without the file's path. */
const REFUSED: [name: string, query: string, message: string][] = [
  ['no time stamp', "SELECT 1 AS x, 'n' AS node", `: no column timestamp; columns: x, node\n${LAYOUTS}`],
  [
    'time stamp of text',
    "SELECT '2020-03-09' AS timestamp, 1 AS x",
    ': column timestamp has type VARCHAR; allowed are TIMESTAMP with or without time zone and whole numbers of ms, us or ns',
  ],
  [
    'no metric',
    `SELECT ${AT}, 'n' AS node, 'a' AS x`,
    `: no numeric column of a metric; columns: timestamp, node, x\n${LAYOUTS}`,
  ],
  [
    'exadata without its path',
    `SELECT ${AT}, 1 AS value, 'n' AS node`,
    `: columns timestamp, value, node are those of exadata, but the path names no plugin and metric\n${LAYOUTS}`,
  ],
  ['no rows', `SELECT ${AT}, 1 AS x WHERE false`, ': the file holds no rows'],
  [
    'node of a wrong type',
    `SELECT ${AT}, 1.5::DOUBLE AS node, 1 AS x`,
    ': column node has type DOUBLE; allowed are text and whole numbers',
  ],
  [
    'node missing in a row',
    `SELECT ${AT}, NULL::VARCHAR AS node, 1 AS x`,
    ': column node is NULL or empty in 1 rows',
  ],
  [
    'time missing in a row',
    'SELECT NULL::BIGINT AS timestamp, 1 AS x',
    ': column timestamp is NULL or infinite in 1 rows',
  ],
  [
    'infinite time',
    "SELECT TIMESTAMP 'infinity' AS timestamp, 1 AS x",
    ': column timestamp is NULL or infinite in 1 rows',
  ],
  [
    'negative time',
    'SELECT -5::BIGINT AS timestamp, 1 AS x',
    ': column timestamp holds -5; allowed are ms, us or ns since 1970 (one unit a file) between 2000 and 2100',
  ],
  [
    'seconds',
    'SELECT 1583712000::BIGINT AS timestamp, 1 AS x',
    ': column timestamp holds 1583712000; allowed are ms, us or ns since 1970 (one unit a file) between 2000 and 2100',
  ],
  [
    'two units',
    'SELECT unnest([1583712000000, 1583712000000000]) AS timestamp, 1 AS x',
    ': column timestamp holds 1583712000000000; allowed are ms, us or ns since 1970 (one unit a file) between 2000 and 2100',
  ],
  [
    'far future',
    "SELECT TIMESTAMP '2100-01-01' AS timestamp, 1 AS x",
    ': column timestamp holds 2100-01-01T00:00:00.000Z; allowed are times between 2000 and 2100',
  ],
  [
    'year 200000',
    "SELECT TIMESTAMP '200000-01-01' AS timestamp, 1 AS x",
    ': column timestamp holds +200000-01-01T00:00:00.000Z; allowed are times between 2000 and 2100',
  ],
  [
    'wrong label',
    `SELECT ${MS}, 1 AS x, 2 AS label`,
    ': column label holds 2; allowed are 0 (normal), 1 (anomalous), NULL (unknown)',
  ],
  [
    'label of text',
    `SELECT ${MS}, 1 AS x, 'bad' AS label`,
    ': column label has type VARCHAR; labels are numbers: 0, 1 or NULL',
  ],
  [
    'wrong New_label',
    `SELECT ${MS}, 1 AS "avg:x", 1 AS "var:x", 1 AS "max:x", 1 AS "min:x", 9 AS label, 0.5::DOUBLE AS New_label`,
    ': column New_label holds 0.5; allowed are 0 (normal), 1, 2 (anomalous), NULL (unknown)',
  ],
  [
    'wrong value',
    `SELECT ${MS}, 1 AS x_avg, 1 AS x_std, 1 AS x_max, 1 AS x_min, 4 AS value`,
    ': column value holds 4; allowed are 0 (normal), 1, 2 (anomalous), 3, NULL (unknown)',
  ],
  [
    'missing column',
    `SELECT ${MS}, 1 AS "avg:x", 1 AS "max:x", 1 AS "min:x"`,
    ': column var:x is missing beside avg:x',
  ],
  [
    'statistics of text',
    `SELECT ${MS}, 1 AS "avg:x", 'a' AS "var:x", 1 AS "max:x", 1 AS "min:x"`,
    ': column var:x has type VARCHAR; statistics are numbers',
  ],
]

for (const [name, query, message] of REFUSED) {
  test(`refused: ${name}`, async () => {
    const file = await write(folder(), 'n.parquet', query)
    await assert.rejects(openHistory([file]), { name: 'HistoryError', message: file + message })
  })
}

test('refused: no file', async () => {
  const path = folder()
  await assert.rejects(openHistory([]), {
    name: 'HistoryError',
    message: 'no history: name at least one file, directory or glob',
  })
  await assert.rejects(openHistory([`${path}/*.parquet`]), {
    name: 'HistoryError',
    message: `${path}/*.parquet: no file matches`,
  })
  await assert.rejects(openHistory([path]), { name: 'HistoryError', message: `${path}: no file matches` })
})

test('refused: empty, foreign and truncated files, among good ones', async () => {
  const path = folder()
  const good = await write(path, 'good.parquet', `SELECT ${AT}, range AS x FROM range(10000)`)
  const bad = join(path, 'bad.parquet')
  writeFileSync(bad, '')
  await assert.rejects(openHistory([path]), {
    name: 'HistoryError',
    message: `${bad}: the file is empty (0 bytes)`,
  })
  writeFileSync(bad, 'timestamp,x\n1,2\n')
  const whole = new RegExp(`^${bad}: not a whole parquet file: `)
  await assert.rejects(openHistory([path]), { name: 'HistoryError', message: whole })
  writeFileSync(bad, readFileSync(good).subarray(0, 5000))
  await assert.rejects(openHistory([path]), { name: 'HistoryError', message: whole })
})

test('refused: mixed layouts', async () => {
  const path = folder()
  const a = await write(path, 'a.parquet', `SELECT ${AT}, 1 AS x`)
  const b = await write(path, 'b.parquet', `SELECT ${AT}, 1 AS x_avg, 0 AS x_std, 1 AS x_max, 1 AS x_min`)
  const c = await write(
    path,
    'c.parquet',
    `SELECT ${AT}, 1 AS "avg:x", 0 AS "var:x", 1 AS "max:x", 1 AS "min:x"`,
  )
  await assert.rejects(openHistory([a, b]), {
    message: `mixed layouts: ${a} is wide-samples, ${b} is wide-windows (public); name files of one layout`,
  })
  await assert.rejects(openHistory([b, c]), {
    message: `mixed layouts: ${b} is wide-windows (public), ${c} is wide-windows (report); name files of one layout`,
  })
})

test('refused: exadata that holds no numbers of nodes, or states without a service', async () => {
  const root = folder()
  const text = await write(
    root,
    'year_month=20-03/plugin=ganglia_pub/metric=os_name/a_0.parquet',
    `SELECT ${AT}, 'Linux' AS value, '1' AS node`,
  )
  await assert.rejects(openHistory([text]), {
    message: `no file holds numbers of a node's metric\n${LAYOUTS}`,
  })
  const state = await write(
    root,
    'year_month=20-03/plugin=nagios/metric=state/a_0.parquet',
    `SELECT ${AT}, 0 AS value, '1' AS node`,
  )
  await assert.rejects(openHistory([state]), {
    message: `${state}: no column description, which tells the service of a state; columns: timestamp, value, node`,
  })
})

test('refused while reading: two finished windows of one node at one time', async () => {
  const path = folder()
  const columns = `${AT}, 1 AS x_avg, 0 AS x_std, 1 AS x_max, 1 AS x_min`
  await write(path, 'n.train.parquet', `SELECT ${columns}`)
  await write(path, 'n.test.parquet', `SELECT ${columns}`)
  await withHistory([path], async (history) => {
    await assert.rejects(rows(history, request(['x'], { ddof: 0 })), {
      name: 'HistoryError',
      message: 'node n has two windows at 2020-03-09T00:00:00.000Z; keep one',
    })
  })
})

test('an aborted read rejects with AbortError', async () => {
  const file = await write(
    folder(),
    'n.parquet',
    `SELECT make_timestamp((1583712000 + range) * 1000000) AS timestamp, range AS x FROM range(200000)`,
  )
  await withHistory([file], async (history) => {
    const controller = new AbortController()
    const read = async () => {
      for await (const _ of history.samples({ signal: controller.signal })) controller.abort()
    }
    await assert.rejects(read(), { name: 'AbortError' })
    const windows = history.windows(request(['x']), { signal: AbortSignal.abort() })
    await assert.rejects(windows[Symbol.asyncIterator]().next(), { name: 'AbortError' })
  })
})

test('refused: names that differ in upper and lower case only, which DuckDB can not tell apart', async () => {
  const file = await write(folder(), 'n.parquet', `SELECT ${AT}, 1 AS load_q1, 2 AS LOAD_Q2`)
  // DuckDB does not write such a file, others do.
  writeFileSync(
    file,
    Buffer.from(readFileSync(file).toString('latin1').replaceAll('LOAD_Q2', 'LOAD_Q1'), 'latin1'),
  )
  await assert.rejects(openHistory([file]), {
    name: 'HistoryError',
    message: `${file}: two columns differ in upper and lower case only (LOAD_Q1); rename one`,
  })
})
