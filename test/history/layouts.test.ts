import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openHistory } from '../../src/history/history.ts'
import { folder, request, rows, withHistory, write } from './parquet.ts'

const NaN_ = Number.NaN

test('wide samples: statistics, gaps, labels and order', async () => {
  const file = await write(
    folder(),
    'samples.parquet',
    `SELECT * FROM (VALUES
      (TIMESTAMPTZ '2020-03-09 00:00:00+00', 'b', 1.0::DOUBLE, 10, 0),
      (TIMESTAMPTZ '2020-03-09 00:14:59.999+00', 'b', 3.0, NULL, 1),
      (TIMESTAMPTZ '2020-03-09 00:15:00+00', 'b', 'NaN', 7, NULL),
      (TIMESTAMPTZ '2020-03-09 00:05:00+00', 'a', 5.0, 20, 0),
      (TIMESTAMPTZ '2020-03-09 01:00:00+00', 'a', 'Infinity', NULL, 0),
      (TIMESTAMPTZ '2020-03-09 00:06:00+00', 'a', 1e300, NULL, 0),
      (TIMESTAMPTZ '2020-03-09 00:10:00+00', 'a', 5.0, 30, NULL)) v(timestamp, node, x, y, label)`,
  )
  await withHistory([file], async (history) => {
    assert.equal(history.layout, 'wide-samples')
    assert.deepEqual(history.nodes, ['a', 'b'])
    assert.deepEqual(history.sensors, ['x', 'y'])
    assert.equal(history.labelled, true)
    assert.equal(history.fixed, null)
    assert.equal(history.fromMs, Date.UTC(2020, 2, 9))
    assert.equal(history.toMs, Date.UTC(2020, 2, 9, 1))
    assert.deepEqual(await rows(history, request(['x', 'y'])), [
      {
        node: 'a',
        start: '2020-03-09T00:00:00.000Z',
        label: 0,
        values: [5, 0, 5, 5, 25, 50, 30, 20],
        counts: [2, 2],
      },
      {
        node: 'b',
        start: '2020-03-09T00:00:00.000Z',
        label: 1,
        values: [2, 2, 3, 1, 10, 0, 10, 10],
        counts: [2, 1],
      },
      {
        node: 'b',
        start: '2020-03-09T00:15:00.000Z',
        label: -1,
        values: [NaN_, NaN_, NaN_, NaN_, 7, 0, 7, 7],
        counts: [0, 1],
      },
    ])
    const some = await rows(history, request(['y', 'gone'], { statistics: ['std', 'avg'], ddof: 0 }), 1)
    assert.deepEqual(
      some.map(({ values, counts }) => [values, counts]),
      [
        [
          [5, 25, NaN_, NaN_],
          [2, 0],
        ],
        [
          [0, 10, NaN_, NaN_],
          [1, 0],
        ],
        [
          [0, 7, NaN_, NaN_],
          [1, 0],
        ],
      ],
    )
    await assert.rejects(async () => rows(history, request(['gone', 'lost'])), {
      name: 'HistoryError',
      message: 'none of the metrics asked for is in the history: gone, lost; it holds x, y',
    })
  })
})

test('a constant series has exactly no variance, in pools and over many samples', async () => {
  const file = await write(
    folder(),
    'constant.parquet',
    "SELECT make_timestamp((1583712000 + i) * 1000000) AS timestamp, 'n' AS node, 0.1::DOUBLE AS x, 0.1::DOUBLE AS z FROM range(9000) t(i)",
  )
  await withHistory([file], async (history) => {
    const pool = [{ name: 'p', sensors: ['x', 'z'], expectedSamples: null }]
    for (const row of await rows(history, request([], { metrics: pool }))) {
      assert.deepEqual(row.values, [0.1, 0, 0.1, 0.1])
      assert.deepEqual(row.counts, [1800])
    }
  })
})

test('wide samples: files with different columns and types, the node from the name of the file', async () => {
  const path = folder()
  await write(
    path,
    'n2.train.parquet',
    "SELECT TIMESTAMP '2020-03-09 00:00:00' AS timestamp, 1 AS a, 2.5::DOUBLE AS b, 'x' AS s",
  )
  await write(
    path,
    'n1.train.parquet',
    "SELECT TIMESTAMP '2020-03-09 00:00:00' AS timestamp, 3.5::DOUBLE AS a, 16777217::INTEGER AS c",
  )
  await write(
    path,
    'n1.test.parquet',
    "SELECT TIMESTAMP '2020-03-09 00:01:00' AS timestamp, 5 AS a, 0.5::FLOAT AS c, 1 AS label",
  )
  const notices: string[] = []
  const history = await openHistory([path], { notice: (text) => notices.push(text) })
  assert.deepEqual(notices, [`${path}/n2.train.parquet: skipped, no numbers of a node's metric: s`])
  assert.deepEqual(history.nodes, ['n1', 'n2'])
  assert.deepEqual([...history.sensors].sort(), ['a', 'b', 'c'])
  const found = await rows(history, request(['a', 'b', 'c'], { statistics: ['avg', 'max'] }))
  history.close()
  assert.deepEqual(found, [
    {
      node: 'n1',
      start: '2020-03-09T00:00:00.000Z',
      label: 1,
      values: [4.25, 5, NaN_, NaN_, 8388608.75, 16777217],
      counts: [2, 0, 2],
    },
    {
      node: 'n2',
      start: '2020-03-09T00:00:00.000Z',
      label: -1,
      values: [1, 1, 2.5, 2.5, NaN_, NaN_],
      counts: [1, 1, 0],
    },
  ])
})

test("the report's windows: New_label wins, ddof 1, any file ending", async () => {
  const path = folder()
  const columns = `"avg:m", 4.0::DOUBLE AS "var:m", 3 AS "max:m", -1::DECIMAL(4, 1) AS "min:m"`
  await write(
    path,
    'r206n05.gzip',
    `SELECT make_timestamp((1583712000 + 900 * i) * 1000000) AS timestamp, (i + 0.5)::DOUBLE AS ${columns}, 1 AS label, (2 * (i % 2))::DOUBLE AS New_label, i AS __index_level_0__ FROM range(3) t(i)`,
  )
  await write(
    path,
    'r206n06.gzip',
    `SELECT make_timestamp(1583712900000000) AS timestamp, NULL::DOUBLE AS ${columns}, 7.0::DOUBLE AS "avg:extra", 1.0::DOUBLE AS "var:extra", 8 AS "max:extra", 6 AS "min:extra", 0 AS label, 'nan'::DOUBLE AS New_label`,
  )
  await withHistory([`${path}/*.gzip`], async (history) => {
    assert.equal(history.layout, 'wide-windows')
    assert.deepEqual(history.fixed, { statistics: ['avg', 'var', 'max', 'min'], ddof: 1, lengthSeconds: 900 })
    assert.deepEqual(history.nodes, ['r206n05', 'r206n06'])
    const found = await rows(history, request(['m', 'extra'], { statistics: ['min', 'std', 'avg'] }))
    const missing = [NaN_, NaN_, NaN_]
    assert.deepEqual(found, [
      {
        node: 'r206n05',
        start: '2020-03-09T00:00:00.000Z',
        label: 0,
        values: [-1, 2, 0.5, ...missing],
        counts: [1, 0],
      },
      {
        node: 'r206n05',
        start: '2020-03-09T00:15:00.000Z',
        label: 1,
        values: [-1, 2, 1.5, ...missing],
        counts: [1, 0],
      },
      {
        node: 'r206n06',
        start: '2020-03-09T00:15:00.000Z',
        label: -1,
        values: [-1, 2, NaN_, 6, 1, 7],
        counts: [1, 1],
      },
      {
        node: 'r206n05',
        start: '2020-03-09T00:30:00.000Z',
        label: 0,
        values: [-1, 2, 2.5, ...missing],
        counts: [1, 0],
      },
    ])
    assert.throws(() => history.samples(), {
      name: 'HistoryError',
      message: 'the history holds finished windows, no samples; it can not be replayed',
    })
    const refused: [Parameters<typeof request>[1], string][] = [
      [
        { everySeconds: 300 },
        'the history holds finished windows of 900 s; asked for were 900 s every 300 s',
      ],
      [
        { ddof: 0 },
        "the history holds finished windows with ddof 1; var with ddof 0 can't be made from them",
      ],
      [
        { metrics: [{ name: 'p', sensors: ['m', 'extra'], expectedSamples: null }] },
        "the history holds finished windows, which can't be pooled; metric p pools m, extra",
      ],
    ]
    for (const [changes, message] of refused) {
      assert.throws(() => history.windows(request(['m'], changes)), { name: 'HistoryError', message })
    }
  })
})

test("the public set's windows: value as label, ddof 0, metric names that end like a statistic", async () => {
  const file = await write(
    folder(),
    '42.parquet',
    `SELECT make_timestamp_ns((1583712000 + 900 * i) * 1000000000)::TIMESTAMP_NS AS timestamp, 1.0::FLOAT AS fan_avg, 3.0::DOUBLE AS fan_std,
      4 AS fan_max, 0 AS fan_min, 5 AS fan_max_avg, 0 AS fan_max_std, 5 AS fan_max_max, 5 AS fan_max_min, 9 AS lone_avg,
      CASE WHEN i < 4 THEN i END::DOUBLE AS value FROM range(5) t(i)`,
  )
  await withHistory([file], async (history) => {
    assert.deepEqual(history.fixed, { statistics: ['avg', 'std', 'max', 'min'], ddof: 0, lengthSeconds: 900 })
    assert.deepEqual(history.nodes, ['42'])
    assert.deepEqual(history.sensors, ['fan', 'fan_max'])
    const found = await rows(history, request(history.sensors, { ddof: 0 }))
    assert.deepEqual(
      found.map((row) => row.label),
      [0, 1, 1, -1, -1],
    )
    assert.deepEqual(found[0]?.values, [1, 9, 4, 0, 5, 0, 5, 5])
  })
})

test('exadata: metrics from the path, labels of the one service', async () => {
  const root = folder()
  const month = 'year_month=20-03'
  const time = (minute: number) => `TIMESTAMPTZ '2020-03-09 00:00:00+00' + INTERVAL ${minute} MINUTE`
  await write(
    root,
    `${month}/plugin=ipmi_pub/metric=p0_power/a_0.parquet`,
    `SELECT * FROM (VALUES (${time(1)}, 10, '7'), (${time(0)}, 30, '7'), (${time(20)}, 50, '12')) v(timestamp, value, node)`,
  )
  await write(
    root,
    `${month}/plugin=ipmi_pub/metric=ambient/a_0.parquet`,
    `SELECT * FROM (VALUES (${time(2)}, 20.5::DOUBLE, '7'), (${time(16)}, 'nan', '7')) v(timestamp, value, node)`,
  )
  await write(
    root,
    `${month}/plugin=ganglia_pub/metric=os_name/a_0.parquet`,
    `SELECT ${time(0)} AS timestamp, 'Linux' AS value, '7' AS node`,
  )
  await write(
    root,
    `${month}/plugin=schneider_pub/metric=t/a_0.parquet`,
    `SELECT ${time(0)} AS timestamp, 5 AS value, 'q1' AS panel`,
  )
  await write(
    root,
    `${month}/plugin=nagios_pub/metric=state/a_0.parquet`,
    `SELECT * FROM (VALUES
      (${time(0)}, 0, '7', 'batchs::client::state'), (${time(14)}, 2, '7', 'batchs::client::state'), (${time(20)}, 3, '12', 'batchs::client::state'),
      (${time(21)}, 1, '12', 'ssh::daemon'), (${time(0)}, 2, '99', 'batchs::client::state')) v(timestamp, value, node, description)`,
  )
  const notices: string[] = []
  const history = await openHistory([root], { notice: (text) => notices.push(text) })
  assert.equal(history.layout, 'exadata')
  assert.deepEqual(history.nodes, ['12', '7'])
  assert.deepEqual([...history.sensors].sort(), ['ambient', 'p0_power'])
  assert.equal(history.labelled, true)
  assert.match(notices.join('\n'), /ganglia_pub\/os_name/)
  assert.match(notices.join('\n'), /schneider_pub\/t/)
  const pool = { name: 'both', sensors: ['ambient', 'p0_power'], expectedSamples: null }
  const metrics = [...request(['p0_power', 'ambient']).metrics, pool]
  const found = await rows(history, request([], { metrics, statistics: ['avg', 'max'] }))
  assert.deepEqual(found, [
    {
      node: '7',
      start: '2020-03-09T00:00:00.000Z',
      label: 1,
      values: [20, 30, 20.5, 20.5, 60.5 / 3, 30],
      counts: [2, 1, 3],
    },
    {
      node: '12',
      start: '2020-03-09T00:15:00.000Z',
      label: -1,
      values: [50, 50, NaN_, NaN_, 50, 50],
      counts: [1, 0, 1],
    },
  ])
  const played: [string, string, number, number][] = []
  for await (const batch of history.samples()) {
    for (let i = 0; i < batch.count; i++) {
      played.push([
        history.nodes[batch.node[i] ?? -1] ?? '',
        history.sensors[batch.sensor[i] ?? -1] ?? '',
        batch.value[i] ?? NaN_,
        ((batch.timeMs[i] ?? NaN_) - history.fromMs) / 60_000,
      ])
    }
  }
  history.close()
  assert.deepEqual(played, [
    ['7', 'p0_power', 30, 0],
    ['7', 'p0_power', 10, 1],
    ['7', 'ambient', 20.5, 2],
    ['12', 'p0_power', 50, 20],
  ])
})

test('time stamps in every form lead to the same moment, whatever the time zone of the machine', async () => {
  const ms = Date.UTC(2020, 2, 9, 0, 15, 0, 250)
  const forms: Record<string, string> = {
    ms: `${ms}::BIGINT`,
    us: `${ms}123::BIGINT`,
    ns: `${ms}123456::UBIGINT`,
    timestamp: "TIMESTAMP '2020-03-09 00:15:00.25'",
    timestamp_s: "TIMESTAMP_S '2020-03-09 00:15:00'",
    timestamp_ms: "TIMESTAMP_MS '2020-03-09 00:15:00.25'",
    timestamp_ns: "TIMESTAMP_NS '2020-03-09 00:15:00.250123'",
    zoned: "TIMESTAMPTZ '2020-03-09 01:15:00.25+01'",
  }
  const machineZone = process.env.TZ
  process.env.TZ = 'Asia/Tokyo'
  try {
    for (const [name, sql] of Object.entries(forms)) {
      const file = await write(folder(), 'n.parquet', `SELECT ${sql} AS timestamp, 1 AS x`)
      await withHistory([file], async (history) => {
        assert.equal(history.fromMs, name === 'timestamp_s' ? ms - 250 : ms, name)
        const [row] = await rows(history, request(['x']))
        assert.equal(row?.start, '2020-03-09T00:15:00.000Z', name)
      })
    }
  } finally {
    if (machineZone === undefined) delete process.env.TZ
    else process.env.TZ = machineZone
  }
})

test('files of different units and numbered nodes go together', async () => {
  const path = folder()
  await write(path, 'a.parquet', 'SELECT 1583712000000::BIGINT AS timestamp, 10 AS node, 1 AS x')
  await write(path, 'b[1].parquet', "SELECT 1583712001000000000::BIGINT AS timestamp, '10' AS node, 3 AS x")
  await withHistory([`${path}/a.parquet`, `${path}/b[1].parquet`, `${path}/./a.parquet`], async (history) => {
    assert.equal(history.files.length, 2)
    const found = await rows(history, request(['x']))
    assert.deepEqual(found, [
      { node: '10', start: '2020-03-09T00:00:00.000Z', label: -1, values: [2, 2, 3, 1], counts: [2] },
    ])
  })
})
