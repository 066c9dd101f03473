import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import {
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  EXIT_USAGE,
  errorText,
  exitCode,
  UsageError,
} from '../../src/cli/errors.ts'
import { VERBS } from '../../src/cli/verbs.ts'
import { ConfigError } from '../../src/config/problems.ts'

const program = new URL('../../bin/examon-dec.js', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'examon-dec-cli-'))
after(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

function run(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

const good = write(
  'good.yaml',
  `model: models/x
source: {type: kafka, brokers: ['broker:9092'], topics: [samples]}
sinks:
  - {type: ndjson, flags: f.ndjson, alarms: a.ndjson}
  - {type: kafka, brokers: ['broker:9092'], anomalous_only: true}
http: {port: 8000}
`,
)

test('--help lists every verb and ends well', async () => {
  const { code, stdout } = await run('--help')
  assert.equal(code, 0)
  for (const name of Object.keys(VERBS)) assert.match(stdout, new RegExp(`^  ${name} `, 'm'))
  assert.match(stdout, /Examples:/)
})

test('--version is that of the package', async () => {
  const { code, stdout } = await run('--version')
  assert.equal(code, 0)
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
})

describe('each verb has help with examples', () => {
  for (const [name, verb] of Object.entries(VERBS)) {
    test(name, async () => {
      assert.equal((await verb.load()).name(), name)
      const { code, stdout } = await run('help', name)
      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`^Usage: examon-dec ${name} `))
      assert.match(stdout, /Examples?:/)
    })
  }
})

describe('wrong usage ends with 2, a hint on stderr and nothing on stdout', () => {
  const lines: [string, string[], RegExp][] = [
    ['no verb', [], /Usage: examon-dec/],
    ['an unknown verb', ['chek'], /unknown command 'chek'\n\(Did you mean check\?\)/],
    ['an unknown option', ['check', 'config', good, '--jsn'], /unknown option '--jsn'/],
    ['a missing argument', ['check', 'config'], /missing required argument 'file'/],
    [
      'a batch of nothing',
      ['bench', 'train', '--batch', '128', '0'],
      /'0' is invalid. a whole number from 1/,
    ],
    ['no such file', ['check', 'config', join(folder, 'none.yaml')], /none\.yaml: no such file/],
  ]
  for (const [name, args, message] of lines) {
    test(name, async () => {
      const { code, stdout, stderr } = await run(...args)
      assert.equal(code, EXIT_USAGE)
      assert.match(stderr, message)
      assert.equal(stdout, '')
      assert.doesNotMatch(stderr, /^ {4}at /m)
    })
  }
})

describe('check config', () => {
  test('says in plain words what is read and written, and what is risky', async () => {
    const { code, stdout, stderr } = await run('check', 'config', good)
    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.equal(
      stdout,
      `${good}: valid
Reads
  model bundle ${folder}/models/x (not there yet)
  samples from Kafka topic samples at broker:9092, as group examon-dec, first from the latest record
Writes
  flags to file ${folder}/f.ndjson
  alarms to file ${folder}/a.ndjson
  flags of anomalous windows to Kafka topic examon-dec.flags at broker:9092, made if missing, exactly once
  alarms to Kafka topic examon-dec.alarms at broker:9092, made if missing, exactly once
  state of each node to Kafka topic examon-dec.state, offsets to group examon-dec
  status page and metrics at http://127.0.0.1:8000/
Mind
  without source.instance_id a member that was killed waits for the end of its old session to go on
  sinks[0]: files grow without limit; set max_size
`,
    )
  })

  test('names what run still needs', async () => {
    const { code, stdout } = await run('check', 'config', write('training.yaml', 'training: {seed: 7}'))
    assert.equal(code, 0)
    assert.match(stdout, /^Enough for bootstrap; run also needs: model, source, sinks$/m)
  })

  test('prints every mistake with its place, in text and in JSON', async () => {
    const bad = write('bad.yaml', 'modle: x\nhttp:\n  port: web\n')
    const wanted = [
      `${bad}:1:1: unknown key modle; did you mean "model"?`,
      `${bad}:3:9: http.port: expected a whole number from 0 up to 65535, found "web"`,
    ]
    const text = await run('check', 'config', bad)
    assert.equal(text.code, EXIT_USAGE)
    assert.equal(text.stdout, '')
    assert.equal(text.stderr, `${wanted.join('\n')}\n`)
    const json = await run('check', 'config', bad, '--json')
    assert.equal(json.code, EXIT_USAGE)
    assert.deepEqual(JSON.parse(json.stdout), { file: bad, ok: false, problems: wanted })
  })

  test('--debug adds the stack', async () => {
    const { stderr } = await run('check', 'config', join(folder, 'none.yaml'), '--debug')
    assert.match(stderr, /no such file\n {4}at /)
  })
})

test('check model refuses a folder without a bundle, and names what is missing', async () => {
  const { code, stdout, stderr } = await run('check', 'model', folder)
  assert.equal(code, EXIT_FAILED)
  assert.equal(stdout, '')
  assert.match(stderr, /^examon-dec: .*manifest\.json/)
  assert.doesNotMatch(stderr, /^ {4}at /m)
})

test('a reader that goes away ends the program quietly', async () => {
  const child = spawn(process.execPath, [program, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (data) => {
    stderr += data
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
})

test('exit codes', () => {
  assert.equal(exitCode(new Error('no')), EXIT_FAILED)
  assert.equal(exitCode(new UsageError('no')), EXIT_USAGE)
  assert.equal(exitCode(new ConfigError(['no'])), EXIT_USAGE)
  assert.equal(exitCode(AbortSignal.abort().reason), EXIT_INTERRUPTED)
})

test('an error is told with its reasons, each once', () => {
  const refused = new Error('connect ECONNREFUSED 127.0.0.1:9092')
  const several = new AggregateError([refused, refused], 'no broker answers')
  const error = new Error('cannot read from kafka', { cause: several })
  assert.equal(
    errorText(error),
    'examon-dec: cannot read from kafka\n  because: no broker answers\n  because: connect ECONNREFUSED 127.0.0.1:9092',
  )
  assert.equal(errorText(new Error('a: b', { cause: new Error('b') })), 'examon-dec: a: b')
  assert.equal(errorText('text'), 'examon-dec: text')
})
