import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { HistoryFile } from '../../src/status/history-file.ts'
import { StatusStore } from '../../src/status/store.ts'
import { launch, startDaemon } from '../support/program.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'
import { alarmOf, flagOf } from './machine.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-history-'))
after(() => rmSync(folder, { recursive: true }))
const DAY_MS = 86_400_000
const QUARTER_MS = 900_000
const AT = Date.parse('2020-03-11T12:00:00Z')

function newStore(): StatusStore {
  return new StatusStore({ version: '1', now: () => AT })
}

/** A store with the file's content, and what was said of it. */
async function opened(file: string, store = newStore()): Promise<{ store: StatusStore; said: string[] }> {
  const said: string[] = []
  const history = await HistoryFile.open(file, store, DAY_MS, (error) => said.push(error.message))
  await history.close()
  return { store, said }
}

function filled(): StatusStore {
  const store = newStore()
  for (let i = 0; i < 120; i++) {
    const score = i % 7 === 0 ? null : i / 100
    store.flag({
      ...flagOf('r1n1', AT + i * QUARTER_MS, 1, 'normal'),
      score,
      mode: score === null ? null : i % 3,
    })
  }
  const hot = flagOf('r1n2', AT + 119 * QUARTER_MS, 2.5, 'anomalous')
  store.flag(hot)
  store.alarm(alarmOf(hot, 'pending'))
  return store
}

test('nodes, their history and the alarms outlast a restart', async () => {
  const file = join(folder, 'deep', 'history.ndjson')
  const before = filled()
  assert.deepEqual((await opened(file, before)).said, [])
  const { store, said } = await opened(file)
  assert.deepEqual(said, [])
  for (const name of ['r1n1', 'r1n2']) assert.deepEqual(store.node(name), before.node(name))
  assert.equal(store.node('r1n1')?.history.length, 96)
  assert.deepEqual(store.document().alarms, before.document().alarms)
})

test('flags of the new process go on where the history ends', async () => {
  const file = join(folder, 'goes-on.ndjson')
  await opened(file, filled())
  const { store } = await opened(file)
  store.flag(flagOf('r1n2', AT + 120 * QUARTER_MS, 0.5, 'normal'))
  assert.deepEqual(
    store.node('r1n2')?.history.map(({ score }) => score),
    [2.5, 0.5],
  )
})

test('a node that is gone for longer than windows.forget_after is not kept', async () => {
  const file = join(folder, 'gone.ndjson')
  const store = filled()
  store.flag(flagOf('r9n9', AT, 1, 'silent'))
  store.daemon.watermark = new Date(AT + 119 * QUARTER_MS).toISOString()
  await opened(file, store)
  const kept = (await opened(file)).store.document().nodes.map(({ node }) => node)
  assert.deepEqual(kept.sort(), ['r1n1', 'r1n2'])
})

test('a damaged line is named; what stands before it is taken, and the file is written anew', async () => {
  const file = join(folder, 'damaged.ndjson')
  await opened(file, filled())
  const whole = readFileSync(file, 'utf8')
  appendFileSync(file, '{"flag": {"node": "x"}, "history": []}\n')
  const { store, said } = await opened(file)
  assert.deepEqual(said, [`${file}:4: not a line of a history of format 1`])
  assert.equal(store.document().nodes.length, 2)
  assert.equal(readFileSync(file, 'utf8'), whole)
  for (const text of ['rubbish\n', '{"format": 2, "alarms": []}\n']) {
    writeFileSync(file, text)
    assert.deepEqual((await opened(file)).said, [`${file}:1: not a line of a history of format 1`])
  }
})

test('a place that can not be written is told, each time', async () => {
  const noFolder = join(folder, 'a-file')
  writeFileSync(noFolder, '')
  const { said } = await opened(join(noFolder, 'history.ndjson'), filled())
  assert.equal(said.length, 2) // to be read, to be written
  for (const one of said) assert.match(one, /a-file/)
})

test('the daemon shows after a restart what it showed before', async () => {
  const config = {
    model: REFERENCE_BUNDLE,
    sinks: [{ type: 'ndjson', flags: join(folder, 'f'), alarms: join(folder, 'a') }],
    http: { port: 0, history_file: join(folder, 'page.ndjson') },
  }
  const file = join(folder, 'config.yaml')
  const machine = { type: 'simulator', nodes: 2, faults: false }
  writeFileSync(
    file,
    JSON.stringify({
      ...config,
      source: { ...machine, speed: 'max', start: '2020-03-11T00:00:00Z', days: 0.05 },
    }),
  )
  assert.equal((await launch(['run', '--config', file]).exit).code, 0)
  const daemon = await startDaemon(file, { ...config, source: { ...machine, start: '2020-03-11T02:00:00Z' } })
  const { body } = await daemon.get('/api/nodes/r205n01')
  assert.ok((JSON.parse(body) as { history: unknown[] }).history.length >= 4, body)
  assert.equal((await daemon.stop('SIGTERM')).code, 0)
})
