import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type Fault, planFaults } from '../../src/simulator/faults.ts'
import { type HistoryLayout, writeHistory } from '../../src/simulator/history.ts'
import { placeNodes } from '../../src/simulator/layout.ts'
import { Machine } from '../../src/simulator/machine.ts'
import { readTruth } from '../../src/simulator/truth.ts'

const NODES = 3
const SEED = 9
// Over the end of a month, so that the raw layout makes two.
const FROM = Date.UTC(2026, 0, 31, 12)
const TO = FROM + 20 * 3_600_000

let folder = ''
let sql: DuckDBConnection
const files: Partial<Record<HistoryLayout, string[]>> = {}
const faults: Fault[] = planFaults({ nodes: placeNodes(NODES), seed: 2, fromMs: FROM, toMs: TO, count: 2 })

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'history-'))
  for (const layout of ['samples', 'exadata', 'windows'] as const) {
    const directory = join(folder, layout)
    const options = { directory, layout, nodes: NODES, seed: SEED, fromMs: FROM, toMs: TO, faults }
    files[layout] = await writeHistory(options)
  }
  sql = await (await DuckDBInstance.create(':memory:')).connect()
})
after(async () => {
  sql.closeSync()
  await rm(folder, { recursive: true })
})

async function rows(query: string): Promise<Record<string, unknown>[]> {
  return (await sql.runAndReadAll(query)).getRowObjectsJS()
}

test('each layout leaves its files, the truth and nothing else', async () => {
  for (const layout of ['samples', 'exadata', 'windows'] as const) {
    const truth = await readTruth(join(folder, layout, 'truth.json'))
    assert.deepEqual(truth.faults, faults)
    assert.deepEqual([truth.fromMs, truth.toMs], [FROM, TO])
    const found = await readdir(join(folder, layout), { recursive: true, withFileTypes: true })
    const names = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    assert.deepEqual(names.sort(), [...(files[layout] ?? []), join(folder, layout, 'truth.json')].sort())
  }
  assert.deepEqual(
    files.windows?.map((file) => file.slice(folder.length)),
    ['/windows/r205n01.parquet', '/windows/r205n02.parquet', '/windows/r205n03.parquet'],
  )
  assert.ok(
    files.exadata?.some((file) =>
      file.endsWith('year_month=26-01/plugin=ipmi_pub/metric=ambient/a_0.parquet'),
    ),
  )
  assert.ok(
    files.exadata?.some((file) =>
      file.endsWith('year_month=26-02/plugin=nagios_pub/metric=state/a_0.parquet'),
    ),
  )
})

test('wide samples hold every sample of the machine', async () => {
  const machine = new Machine({ nodes: NODES, seed: SEED, startMs: FROM, faults })
  const counts = new Map<string, number>()
  const sums = new Map<string, number>()
  machine.advance(TO, (_node, sensor, value) => {
    const name = machine.sensors[sensor] ?? ''
    counts.set(name, (counts.get(name) ?? 0) + 1)
    sums.set(name, (sums.get(name) ?? 0) + value)
  })
  const list = machine.sensors.map((name) => `count(${name}) AS "n:${name}", sum(${name}) AS "s:${name}"`)
  const [row = {}] = await rows(`SELECT ${list.join(', ')} FROM '${folder}/samples/*.parquet'`)
  for (const name of machine.sensors) {
    assert.equal(Number(row[`n:${name}`]), counts.get(name) ?? 0, name)
    const sum = sums.get(name) ?? 0
    assert.ok(Math.abs(Number(row[`s:${name}`]) - sum) <= 1e-9 * Math.abs(sum), name)
  }
})

test('wide samples: a row a node and read on the 20-second grid, in time order, labelled', async () => {
  const [row = {}] = await rows(`
    SELECT count(*) AS n, count(DISTINCT (node, "timestamp")) AS different,
      count(*) FILTER (epoch_ms("timestamp") % 20000 <> 0) AS off_grid,
      min(epoch_ms("timestamp")) AS first, max(epoch_ms("timestamp")) AS last,
      count(*) FILTER ("timestamp" < before) AS disorder
    FROM (SELECT *, lag("timestamp") OVER () AS before FROM '${folder}/samples/*.parquet')`)
  assert.equal(row.n, row.different)
  assert.equal(Number(row.off_grid), 0)
  assert.equal(Number(row.disorder), 0)
  assert.equal(Number(row.first), FROM)
  assert.equal(Number(row.last), TO - 20_000)
  const wrong = await rows(`
    SELECT count(*) AS n FROM '${folder}/samples/*.parquet' WHERE label <> (CASE WHEN ${faults
      .map(
        ({ nodes, startMs, endMs }) =>
          `node IN (${nodes.map((n) => `'${n}'`)}) AND epoch_ms("timestamp") >= ${startMs} AND epoch_ms("timestamp") < ${endMs}`,
      )
      .join(' OR ')} THEN 1 ELSE 0 END)`)
  assert.equal(Number(wrong[0]?.n), 0)
})

test('windows are the aggregates of the samples', async () => {
  const machine = new Machine({ nodes: NODES, seed: SEED, startMs: FROM, faults })
  for (const node of machine.nodes) {
    const file = `${folder}/windows/${node.name}.parquet`
    const columns = await rows(`SELECT column_name FROM (DESCRIBE SELECT * FROM '${file}')`)
    const names = columns.map((column) => column.column_name)
    assert.equal(names.length, 463)
    assert.deepEqual(names.slice(0, 5), [
      'timestamp',
      'avg:ambient',
      'var:ambient',
      'max:ambient',
      'min:ambient',
    ])
    assert.deepEqual(names.slice(-3), ['min:swap_total', 'label', 'New_label'])

    const list = node.sensors.flatMap((s) => [
      `avg(${s}) AS "avg:${s}", var_samp(${s}) AS "var:${s}", max(${s}) AS "max:${s}", min(${s}) AS "min:${s}"`,
    ])
    const expected = await rows(`
      SELECT time_bucket(INTERVAL 15 MINUTE, "timestamp") AS "timestamp", ${list.join(', ')},
        2 * max(label)::INTEGER AS label, 2 * max(label)::INTEGER AS "New_label"
      FROM '${folder}/samples/*.parquet' WHERE node = '${node.name}' GROUP BY 1 ORDER BY 1`)
    const actual = await rows(`SELECT * FROM '${file}'`)
    assert.equal(actual.length, expected.length)
    for (const [i, row] of actual.entries()) {
      for (const [name, value] of Object.entries(row)) {
        const other = expected[i]?.[name]
        if (value === null || other === null) assert.equal(value, other, name)
        else {
          const [a, b] = [Number(value), Number(other)]
          // Variances differ in the last digits of what the mean loses: relative to the mean's square.
          const mean = Number(row[name.replace('var:', 'avg:')])
          const scale = name.startsWith('var:') ? Math.max(Math.abs(a), 1e-6 * mean * mean) : Math.abs(a)
          assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, scale), `${node.name} ${i} ${name}: ${a} ${b}`)
        }
      }
    }
  }
})

test('the raw layout holds the same samples and the checks of Nagios', async () => {
  const [raw = {}] = await rows(`
    SELECT count(*) AS n, sum(value) AS s, count(DISTINCT node) AS nodes,
      count(*) FILTER ("timestamp" < before) AS disorder
    FROM (SELECT *, lag("timestamp") OVER () AS before
      FROM '${folder}/exadata/year_month=*/plugin=ipmi_pub/metric=total_power/*.parquet')`)
  const [wide = {}] = await rows(
    `SELECT count(total_power) AS n, sum(total_power) AS s FROM '${folder}/samples/*.parquet'`,
  )
  assert.equal(raw.n, wide.n)
  assert.equal(Number(raw.s), Number(wide.s))
  assert.equal(Number(raw.nodes), NODES)
  assert.equal(Number(raw.disorder), 0)
  const states = await rows(`
    SELECT description, count(*) AS n, min(value) AS low, max(value) AS high
    FROM '${folder}/exadata/*/plugin=nagios_pub/metric=state/*.parquet' GROUP BY 1`)
  assert.deepEqual(
    states.map((row) => [row.description, Number(row.n)]),
    [['batchs::client::state', NODES * 80]],
  )
})

test('an aborted history leaves nothing', async () => {
  const directory = join(folder, 'aborted')
  const control = new AbortController()
  const options = {
    directory,
    layout: 'exadata' as const,
    nodes: NODES,
    seed: SEED,
    fromMs: FROM,
    toMs: TO,
    faults,
  }
  const progress = (share: number): void => {
    // In February: the files of January are there already.
    if (share > 0.7) control.abort()
  }
  await assert.rejects(writeHistory({ ...options, progress, signal: control.signal }), { name: 'AbortError' })
  const left = await readdir(directory, { recursive: true, withFileTypes: true })
  assert.deepEqual(
    left.filter((entry) => entry.isFile()).map((entry) => entry.name),
    [],
  )
})
