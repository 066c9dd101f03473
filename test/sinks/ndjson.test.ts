import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

test('a full file is set aside, the newest first, and no record is lost or torn until it is beyond what is kept', async () => {
  const [flags, alarms] = [join(folder, 'rotated/flags'), join(folder, 'rotated/alarms')]
  const one = JSON.stringify(flag('a', 0, false)).length + 1
  const options = { flags, alarms, anomalousOnly: false, maxBytes: 3 * one, keep: 2 }
  for (let i = 0; i < 14; i++) {
    // Opened anew now and then: a restart goes on with the same file.
    const sink = new NdjsonSink(options)
    await sink.start()
    await sink.write([flag('a', i, false)], [])
    await sink.close()
  }
  const kept = ['flags.2', 'flags.1', 'flags'].map((name) => lines(join(folder, 'rotated', name)))
  assert.ok(kept.slice(0, 2).every((of) => of.length >= 3 && of.length <= 4))
  const all = kept.flat()
  assert.deepEqual(
    all,
    Array.from({ length: all.length }, (_, i) => flag('a', 14 - all.length + i, false)),
  )
  assert.deepEqual(readdirSync(join(folder, 'rotated')).toSorted(), ['alarms', 'flags', 'flags.1', 'flags.2'])

  const none = new NdjsonSink({ ...options, flags: join(folder, 'none/flags'), keep: 0, maxBytes: 1 })
  await none.start()
  for (let i = 0; i < 3; i++) await none.write([flag('a', i, false)], [])
  await none.close()
  assert.deepEqual(lines(join(folder, 'none/flags')), [flag('a', 2, false)])
})
