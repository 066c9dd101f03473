import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { withPriority } from '../../src/telemetry/journal.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-journal-'))
after(() => rmSync(folder, { recursive: true }))
const program = new URL('../../bin/examon-dec.js', import.meta.url).pathname
const reference = new URL('../../models/reference', import.meta.url).pathname

/** What `run` writes to its stderr, a file that systemd would call the journal, or another one. */
function log(config: string, isJournal: boolean): string[] {
  const file = join(folder, 'stderr')
  const stderr = openSync(file, 'w')
  const { dev, ino } = fstatSync(stderr, { bigint: true })
  const written = join(folder, 'config.yaml')
  writeFileSync(written, config)
  spawnSync(process.execPath, [program, 'run', '--config', written], {
    stdio: ['ignore', 'ignore', stderr],
    env: { ...process.env, JOURNAL_STREAM: isJournal ? `${dev}:${ino}` : `${dev}:${ino + 1n}` },
  })
  closeSync(stderr)
  return readFileSync(file, 'utf8').trim().split('\n')
}

/** An hour of it, at once. */
const CONFIG = `model: ${reference}
source: {type: simulator, nodes: 1, days: 0.05, speed: max}
sinks: [{type: ndjson, flags: ${folder}/flags, alarms: ${folder}/alarms}]
http: {port: 0}`

test('lines to the journal begin with their severity, and are JSON after it', () => {
  for (const line of log(CONFIG, true)) {
    const [, priority = '', json = ''] = /^<(\d)>(.*)$/.exec(line) ?? []
    const { level } = JSON.parse(json) as { level: string }
    assert.equal(priority, { error: '3', warn: '4', info: '6' }[level], line)
  }
})

test('each level has that of syslog, each line its own', () => {
  assert.equal(withPriority('a\nb\n', 'warn'), '<4>a\n<4>b\n')
  const levels = ['error', 'warn', 'info', 'debug']
  assert.deepEqual(
    levels.map((level) => withPriority('', level) + withPriority('x', level)),
    ['<3>x', '<4>x', '<6>x', '<7>x'],
  )
})

test('so do messages of a start that fails, each line', () => {
  const lines = log('modle: x\nhttp: {port: web}', true)
  assert.ok(lines.length > 2)
  for (const line of lines) assert.match(line, /^<3>/)
})

test('a stderr that was sent elsewhere has plain lines', () => {
  for (const line of log(CONFIG, false)) JSON.parse(line)
})
