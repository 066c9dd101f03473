/** What goes wrong before the first sample: every case ends with its status and one exact message, and leaves nothing half-written. */
import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { stringify } from 'yaml'
import { LAYOUTS } from '../../src/history/layout.ts'
import { startBroker } from '../support/broker.ts'
import { uniqueName } from '../support/kafka.ts'
import { runProgram } from '../support/program.ts'

const REFERENCE = new URL('../../models/reference', import.meta.url).pathname
// Before the first test: the runner takes a file whose tests have all ended as finished, even while it awaits.
const kafka = await startBroker()
const root = mkdtempSync(join(tmpdir(), 'examon-dec-bad-'))
after(async () => {
  rmSync(root, { recursive: true })
  if ('stop' in kafka) await kafka.stop()
})
let cases = 0

function folder(): string {
  const path = join(root, String(cases++))
  mkdirSync(path)
  return path
}

/** A port on which nobody listens, unless somebody takes it within the next seconds. */
async function closedPort(): Promise<number> {
  const { port, close } = await listen()
  close()
  return port
}

async function listen(): Promise<{ port: number; close(): void }> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() } // listens on TCP
}

interface Settings {
  model?: string
  brokers?: string[]
  topics?: string[]
  port?: number
  sink?: object
}

/** Runs the daemon, which must refuse to; its log lines are left out of `stderr`. */
async function refused(settings: Settings): Promise<{ where: string; code: number | null; message: string }> {
  const where = folder()
  const file = join(where, 'daemon.yaml')
  const { model = REFERENCE, brokers = ['127.0.0.1:1'], topics = ['samples'], port = 0 } = settings
  const sinks = [settings.sink ?? { type: 'ndjson', flags: 'out/flags.ndjson', alarms: 'out/alarms.ndjson' }]
  writeFileSync(file, stringify({ model, source: { type: 'kafka', brokers, topics }, sinks, http: { port } }))
  const { code, stderr } = await runProgram('run', '--config', file)
  const message = stderr
    .split('\n')
    .filter((line) => !line.startsWith('{"level"'))
    .join('\n')
  for (const name of readdirSync(where, { recursive: true, encoding: 'utf8' })) {
    const { size } = statSync(join(where, name))
    assert.ok(name === 'daemon.yaml' || name === 'out' || size === 0, `${name} holds ${size} bytes`)
  }
  return { where, code, message }
}

/** A copy of the reference bundle, to be damaged. */
function copyOfBundle(): string {
  const path = join(folder(), 'model')
  cpSync(REFERENCE, path, { recursive: true })
  return path
}

function changeManifest(model: string, change: (manifest: Record<string, unknown>) => void): void {
  const file = join(model, 'manifest.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  change(manifest)
  writeFileSync(file, JSON.stringify(manifest))
}

describe('run refuses', () => {
  test('a broker that is not there', async () => {
    const broker = `127.0.0.1:${await closedPort()}`
    const { code, message } = await refused({ brokers: [broker] })
    assert.equal(
      message,
      `examon-dec: no Kafka broker answers at ${broker} (config key source.brokers): connect ECONNREFUSED ${broker}\n`,
    )
    assert.equal(code, 1)
  })

  test('a port in use', async () => {
    const { port, close } = await listen()
    const { code, message } = await refused({ port })
    close()
    assert.equal(
      message,
      `examon-dec: cannot serve metrics and status page on 127.0.0.1:${port}: another program listens there; set http.port to a free port\n` +
        `  because: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`,
    )
    assert.equal(code, 1)
  })

  test('a bundle that is not there', async () => {
    const model = join(root, 'nowhere')
    const { code, message } = await refused({ model })
    assert.equal(
      message,
      `examon-dec: no bundle at ${model}: ${model}/manifest.json can't be read; make one with bootstrap --out\n` +
        `  because: ENOENT: no such file or directory, open '${model}/manifest.json'\n`,
    )
    assert.equal(code, 1)
  })

  test('a bundle whose graph is cut short', async () => {
    const model = copyOfBundle()
    const file = join(model, 'model.onnx')
    writeFileSync(file, readFileSync(file).subarray(0, 1000))
    const { code, message } = await refused({ model })
    assert.match(
      message,
      /^examon-dec: bundle (.+): model\.onnx is truncated or changed: 1000 bytes with sha256 [0-9a-f]{12}…, the manifest says [0-9a-f]{12}…\n$/,
    )
    assert.equal(code, 1)
  })

  test('a bundle whose manifest is cut short', async () => {
    const model = copyOfBundle()
    const file = join(model, 'manifest.json')
    writeFileSync(file, readFileSync(file).subarray(0, 1000))
    const { code, message } = await refused({ model })
    assert.equal(
      message.split('\n')[0],
      `examon-dec: bundle ${model}: manifest.json is not JSON; was it cut short?`,
    )
    assert.equal(code, 1)
  })

  test('a bundle of another format', async () => {
    const model = copyOfBundle()
    changeManifest(model, (manifest) => {
      manifest.format = 2
    })
    const { code, message } = await refused({ model })
    assert.equal(
      message,
      `examon-dec: bundle ${model}: format 2, this program reads format 1; train it anew with bootstrap\n`,
    )
    assert.equal(code, 1)
  })

  test('a bundle whose schema is not that of its network', async () => {
    const model = copyOfBundle()
    let features = 0
    changeManifest(model, (manifest) => {
      const { schema } = manifest as { schema: { metrics: unknown[]; statistics: unknown[] } }
      features = schema.metrics.length * schema.statistics.length
      schema.metrics.splice(1)
    })
    const { code, message } = await refused({ model })
    assert.equal(
      message,
      `examon-dec: bundle ${model}: 4 features in the schema, ${features} at the input of the network; train it anew with bootstrap\n`,
    )
    assert.equal(code, 1)
  })

  test('a mistyped configuration, with status 2', async () => {
    const file = join(folder(), 'typo.yaml')
    writeFileSync(
      file,
      `model: model
source: {type: kafka, broker: ['localhost:9092'], topics: [samples]}
sinks: [{type: ndjson, flags: f.ndjson, alarms: a.ndjson}]
windows: {lateness: 60}
`,
    )
    const { code, stderr } = await runProgram('run', '--config', file)
    assert.equal(
      stderr,
      `${file}:2:9: source.brokers is missing: Brokers to ask first, as \`host:port\`; the rest of the cluster is learned from them.
${file}:2:23: unknown key source.broker; did you mean "brokers"?
${file}:4:21: windows.lateness: expected a duration such as 90s, 15m, 2h or 1d, found 60
`,
    )
    assert.equal(code, 2)
  })
})

describe('run refuses, with a broker', { skip: 'skip' in kafka && kafka.skip }, () => {
  const broker = 'bootstrap' in kafka ? kafka.bootstrap : ''

  test('an input topic that does not exist', async () => {
    const topic = uniqueName('absent')
    const { code, message } = await refused({ brokers: [broker], topics: [topic] })
    assert.equal(
      message,
      `examon-dec: topic ${topic} does not exist on ${broker} (config key source.topics); create it, e.g. kafka-topics.sh --bootstrap-server ${broker} --create --topic ${topic}\n`,
    )
    assert.equal(code, 1)
  })

  test('an output topic that it may not create', async () => {
    const sink = { type: 'kafka', brokers: [broker], flags_topic: uniqueName('absent'), create_topics: false }
    const { code, message } = await refused({ brokers: [broker], sink })
    assert.equal(
      message,
      `examon-dec: topic ${sink.flags_topic} does not exist on ${broker} (config key sinks[0].flags_topic); create it, e.g. kafka-topics.sh --bootstrap-server ${broker} --create --topic ${sink.flags_topic}\n`,
    )
    assert.equal(code, 1)
  })
})

/** A history of one node with metrics a and b, a sample a minute. */
const ROWS = "TIMESTAMP '2020-03-09' + i * INTERVAL 1 MINUTE AS timestamp, 'r205n01' AS node"
const BAD_HISTORY: [name: string, query: string, message: string][] = [
  [
    'wrong label values',
    `SELECT ${ROWS}, sin(i / 50) AS a, 7 * (i % 2) AS label FROM range(3000) t(i)`,
    ': column label holds 7; allowed are 0 (normal), 1 (anomalous), NULL (unknown)',
  ],
  [
    'labels of text',
    `SELECT ${ROWS}, sin(i / 50) AS a, 'normal' AS label FROM range(3000) t(i)`,
    ': column label has type VARCHAR; labels are numbers: 0, 1 or NULL',
  ],
  [
    'a missing column',
    "SELECT i AS moment, 'n' AS node, 1.0 * i AS a FROM range(100) t(i)",
    `: no column timestamp; columns: moment, node, a\n${LAYOUTS}`,
  ],
  ['no rows', `SELECT ${ROWS}, sin(i / 50) AS a FROM range(0) t(i)`, ': the file holds no rows'],
]

describe('bootstrap refuses', () => {
  const history = join(root, 'history')
  before(async () => {
    mkdirSync(history)
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    for (const [name, query] of BAD_HISTORY) {
      await connection.run(`COPY (${query}) TO '${join(history, `${name}.parquet`)}' (FORMAT parquet)`)
    }
    connection.closeSync()
    instance.closeSync()
  })

  const cannot = async (files: string, message: string): Promise<void> => {
    const where = folder()
    const { code, stderr, stdout } = await runProgram(
      'bootstrap',
      '--history',
      files,
      '--out',
      join(where, 'model'),
    )
    assert.equal(stderr, `examon-dec: ${message}\n`)
    assert.equal(stdout, '')
    assert.equal(code, 1)
    assert.deepEqual(readdirSync(where), [], 'no bundle, not even half of one')
  }

  for (const [name, , message] of BAD_HISTORY) {
    test(name, async () => {
      const file = join(history, `${name}.parquet`)
      await cannot(file, file + message)
    })
  }

  test('a history of no files', async () => {
    const files = join(history, 'none', '*.parquet')
    await cannot(files, `${files}: no file matches`)
    assert.equal(existsSync(join(history, 'none')), false)
  })
})
