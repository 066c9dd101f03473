import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { NdjsonSink } from '../../src/sinks/ndjson.ts'
import { alarm, flag } from './records.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-ndjson-'))
after(() => rmSync(folder, { recursive: true }))
const lines = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))

test('flags and alarms are appended, each kind to its file, also after a restart', async () => {
  const [flags, alarms] = [join(folder, 'new/folder/flags'), join(folder, 'new/alarms')]
  for (const index of [0, 1]) {
    const sink = new NdjsonSink({ flags, alarms, anomalousOnly: false })
    await sink.start()
    await sink.write([flag('a', index, false), flag('b', index, true)], [alarm('b', index)])
    await sink.write([], [])
    await sink.close()
  }
  assert.deepEqual(
    lines(flags),
    [0, 1].flatMap((i) => [flag('a', i, false), flag('b', i, true)]),
  )
  assert.deepEqual(lines(alarms), [alarm('b', 0), alarm('b', 1)])
})

test('one file takes both kinds; anomalousOnly leaves out the other flags, never an alarm', async () => {
  const path = join(folder, 'both')
  const sink = new NdjsonSink({ flags: path, alarms: path, anomalousOnly: true })
  await sink.start()
  await sink.write([flag('a', 0, false), flag('b', 0, true)], [alarm('a', 0)])
  await sink.close()
  assert.deepEqual(lines(path), [flag('b', 0, true), alarm('a', 0)])
})

test('a line that a crash left unfinished is not glued to the next record', async () => {
  const [flags, alarms] = [join(folder, 'torn'), join(folder, 'torn-alarms')]
  writeFileSync(flags, '{"kind":"fl')
  const sink = new NdjsonSink({ flags, alarms, anomalousOnly: false })
  await sink.start()
  await sink.write([flag('a', 0, true)], [])
  await sink.close()
  assert.deepEqual(JSON.parse(readFileSync(flags, 'utf8').split('\n')[1] ?? ''), flag('a', 0, true))
})

test('disk errors name the file', async () => {
  writeFileSync(join(folder, 'file'), '')
  const below = new NdjsonSink({
    flags: join(folder, 'file/flags'),
    alarms: join(folder, 'x'),
    anomalousOnly: false,
  })
  await assert.rejects(below.start(), /cannot open .*file\/flags for appending: E/)
  const full = new NdjsonSink({ flags: '/dev/full', alarms: join(folder, 'x'), anomalousOnly: false })
  await full.start()
  await assert.rejects(full.write([flag('a', 0, true)], []), /cannot write to \/dev\/full: ENOSPC/)
  await full.close()
})
