import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import Type from 'typebox'
import { readDocument } from '../../src/config/document.ts'
import { formatDuration, parseDuration } from '../../src/config/duration.ts'
import { secret, section } from '../../src/config/kinds.ts'
import { loadBridgeConfig, loadConfig, loadRunConfig } from '../../src/config/load.ts'
import { ConfigError, nearest } from '../../src/config/problems.ts'
import type { Secret } from '../../src/config/secret.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-config-'))
after(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof ConfigError, inspect(error))
    return error.problems
  }
  return assert.fail('the configuration was accepted')
}

describe('bad configurations: the lines beginning with #! are the messages, in order', () => {
  const testdata = new URL('testdata/', import.meta.url).pathname
  const files = readdirSync(testdata).filter((name) => name.endsWith('.bad.yaml'))
  for (const name of files) {
    test(name, () => {
      const file = join(testdata, name)
      const wanted = readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('#! '))
        .map((line) => `${file}:${line.slice(3).replaceAll('FOLDER/', testdata)}`)
      assert.ok(wanted.length > 0, 'the file names the messages that it leads to')
      assert.deepEqual(
        problemsOf(() => loadConfig(file, { WORD: 'web' })),
        wanted,
      )
    })
  }
})

test('defaults are filled in, and durations are seconds', () => {
  const config = loadConfig(write('empty.yaml', '# nothing but a comment\n'), {})
  assert.deepEqual(config, {
    windows: { lateness: 60, idle_timeout: 30, future_skew: 600, forget_after: 86_400 },
    detect: { min_coverage: 0.75, dwell: 2, clear: 2, warmup: 4, top: 5 },
    http: { host: '127.0.0.1', port: 9464 },
    log: { level: 'info' },
    tune: { trials: 27, strategy: 'halving', reduction: 3, min_epochs: 4, criterion: 'auto', seed: 1 },
    training: {
      preset: 'default',
      window: 900,
      pretrain: {},
      cluster: {},
      false_flags_per_node_week: 1,
      seed: 1,
    },
  })
})

test('a section of which every line is commented out has its defaults', () => {
  const config = loadConfig(write('hollow.yaml', 'http:\n  # port: 1\ntraining:\n  pretrain:\n'), {})
  assert.deepEqual(config.http, { host: '127.0.0.1', port: 9464 })
  assert.deepEqual(config.training.pretrain, {})
})

test('each variant of source and sink has its own defaults', () => {
  const text = `
source: {type: kafka, brokers: ['a:9092'], topics: [t]}
sinks:
  - {type: kafka, brokers: ['a:9092']}
  - {type: ndjson, flags: f, alarms: /abs/a, anomalous_only: true}
`
  const config = loadConfig(write('variants.yaml', text), {})
  assert.deepEqual(config.source, {
    type: 'kafka',
    brokers: ['a:9092'],
    topics: ['t'],
    group: 'examon-dec',
    client_id: 'examon-dec',
    form: 'auto',
    from: 'latest',
    state_topic: 'examon-dec.state',
    delivery: 'exactly_once',
    avro_schemas: [],
  })
  assert.deepEqual(config.sinks, [
    {
      type: 'kafka',
      brokers: ['a:9092'],
      flags_topic: 'examon-dec.flags',
      alarms_topic: 'examon-dec.alarms',
      format: 'json',
      anomalous_only: false,
      create_topics: true,
    },
    { type: 'ndjson', flags: join(folder, 'f'), alarms: '/abs/a', anomalous_only: true, keep: 5 },
  ])
})

test('paths and globs start at the folder of the file, times are ms since the epoch', () => {
  const replay = loadConfig(
    write('replay.yaml', 'source: {type: replay, history: ["h/**/*.parquet"]}\nmodel: m'),
    {},
  )
  assert.equal(replay.model, join(folder, 'm'))
  assert.deepEqual(replay.source, { type: 'replay', history: [join(folder, 'h/**/*.parquet')], speed: 1 })
  const simulator = loadConfig(
    write('s.yaml', 'source: {type: simulator, start: 2020-03-09T01:00:00+01:00}'),
    {},
  )
  assert.ok(simulator.source?.type === 'simulator')
  assert.equal(simulator.source.start, Date.UTC(2020, 2, 9))
})

test('variables are expanded, take the type of the key, and $${ escapes', () => {
  const text = `
http: {host: "\${HOST}", port: "\${PORT}"}
model: \${ROOT}/x-$\${KEPT}
source: {type: simulator, speed: "\${SPEED}", faults: "\${FAULTS}"}
`
  const environment = { HOST: '10.0.0.1', PORT: '8080', ROOT: '/models', SPEED: '2.5', FAULTS: 'false' }
  const config = loadConfig(write('variables.yaml', text), environment)
  assert.deepEqual(config.http, { host: '10.0.0.1', port: 8080 })
  // The literal form that the escape stands for.
  assert.equal(config.model, ['/models/x-$', '{KEPT}'].join(''))
  assert.ok(config.source?.type === 'simulator')
  assert.equal(config.source.speed, 2.5)
  assert.equal(config.source.faults, false)
})

test('a numeric variable stays a text where a text is wanted', () => {
  const text = 'source: {type: kafka, brokers: [a:1], topics: [t], group: "$' + '{GROUP}"}'
  const config = loadConfig(write('group.yaml', text), { GROUP: '42' })
  assert.ok(config.source?.type === 'kafka')
  assert.equal(config.source.group, '42')
})

test('a file that is not there is named', () => {
  const file = join(folder, 'none.yaml')
  assert.deepEqual(
    problemsOf(() => loadConfig(file, {})),
    [`${file}: no such file`],
  )
  assert.deepEqual(
    problemsOf(() => loadConfig(folder, {})),
    [`${folder}: is a folder`],
  )
})

test('run needs model, source and sinks, and says so beside all other problems', () => {
  const file = write('run.yaml', 'source: {type: simulator}\nhttp: {port: -1}\n')
  assert.deepEqual(
    problemsOf(() => loadRunConfig(file, {})),
    [
      `${file}:1:1: model is missing, and run needs it`,
      `${file}:1:1: sinks is missing, and run needs it`,
      `${file}:2:14: http.port: expected a whole number from 0 up to 65535, found -1`,
    ],
  )
})

test('what secures Kafka is whole: a certificate with its key, each mechanism with what it proves', () => {
  write('kafka-password', 'hunter2\n')
  const kafka = (more: string) => `source: {type: kafka, brokers: [b:1], topics: [t], ${more}}`
  const good = loadConfig(
    write(
      'secure.yaml',
      kafka(
        'tls: {ca: ca.pem}, sasl: {mechanism: scram-sha-512, username: u, password: "file:kafka-password"}',
      ),
    ),
  )
  assert.ok(good.source?.type === 'kafka')
  assert.equal(good.source.sasl?.password?.reveal(), 'hunter2')
  assert.doesNotMatch(JSON.stringify(good), /hunter2/)
  const file = write(
    'insecure.yaml',
    `${kafka('tls: {cert: c.pem}, sasl: {mechanism: plain, username: u, token_file: t}')}
sinks:
  - {type: kafka, brokers: [b:1], tls: {passphrase: p}, sasl: {mechanism: oauthbearer, password: p}}
`,
  )
  assert.deepEqual(
    problemsOf(() => loadConfig(file)).map((problem) => problem.replace(/^.*?:\d+:\d+: /, '')),
    [
      'source.tls.key is missing, and cert needs it',
      'source.sasl.password is missing, and plain needs it',
      'source.sasl.token_file has no meaning with plain; leave it out',
      'sinks[0].tls.key is missing, and passphrase needs it',
      'sinks[0].sasl.token_file is missing, and oauthbearer needs it',
      'sinks[0].sasl.password has no meaning with oauthbearer; leave it out',
    ],
  )
})

test('an MQTT source is encrypted or not, and its address shows no password', () => {
  const mqtt = (more: string) => write('mqtt.yaml', `source: {type: mqtt, ${more}}`)
  const { source } = loadConfig(mqtt('url: "mqtt://b:1883"'))
  assert.deepEqual(source, {
    type: 'mqtt',
    url: 'mqtt://b:1883',
    topics: ['org/#'],
    client_id: 'examon-dec',
    qos: 0,
    keep_session: false,
  })
  const refused = (more: string) =>
    problemsOf(() => loadConfig(mqtt(more))).map((problem) => problem.replace(/^.*?:\d+:\d+: /, ''))
  for (const url of ['mqtt://me:hunter2@b:1883', 'http://b', 'b:1883', 'mqtt://b/path'])
    assert.deepEqual(refused(`url: "${url}"`), [
      'source.url: expected mqtt://host:port or mqtts://host:port, name and password in username and password',
    ])
  assert.deepEqual(refused('url: "mqtt://b", qos: 2'), ['source.qos: expected one of 0, 1, found 2'])
  assert.deepEqual(refused('url: "mqtt://b:1883", tls: {cert: c.pem}, password: p'), [
    'source.tls.key is missing, and cert needs it',
    'source.tls: has no meaning with mqtt://b:1883; write mqtts://',
    'source.password: needs a username',
  ])
  const page = write('page.yaml', 'http: {username: me}')
  assert.match(problemsOf(() => loadConfig(page)).join(), /http\.password is missing, and username needs it$/)
  const sink = write(
    'mqtt-sink.yaml',
    'sinks: [{type: mqtt, url: "mqtt://b:1883", prefix: org/cineca/cluster}]',
  )
  assert.match(
    problemsOf(() => loadConfig(sink)).join(),
    /sinks\[0\]\.prefix: expected pairs of tag and value, org\/cineca\/…, found org\/cineca\/cluster$/,
  )
})

test('the link of a node is an address on the web that names the node', () => {
  const problems = (link: string) =>
    problemsOf(() => loadConfig(write('link.yaml', `http: {node_link: "${link}"}`))).join()
  for (const link of [
    'javascript:alert({node})',
    'grafana/d/x?node={node}',
    'https://g.example.org/d/x',
    'http:///{node}',
  ])
    assert.match(
      problems(link),
      /http\.node_link: expected http:\/\/… or https:\/\/… with \{node\} in it, found/,
    )
  const link = 'https://g.example.org/d/x?var-node={node}&from={from}'
  assert.equal(loadConfig(write('link.yaml', `http: {node_link: "${link}"}`), {}).http.node_link, link)
})

test('Avro and its registry need each other, and a registry speaks HTTP', () => {
  const config = (sink: object, source = {}) => {
    const kafka = { type: 'kafka', brokers: ['b:9092'] }
    const file = join(folder, 'registry.yaml')
    writeFileSync(
      file,
      JSON.stringify({ source: { ...kafka, topics: ['t'], ...source }, sinks: [{ ...kafka, ...sink }] }),
    )
    return problemsOf(() => loadConfig(file)).join()
  }
  const together = /sinks\[0\]\.format: avro and schema_registry need each other$/
  assert.match(config({ format: 'avro' }), together)
  assert.match(config({ schema_registry: { url: 'http://r' } }), together)
  assert.match(
    config({}, { schema_registry: { url: 'r:8081' } }),
    /source\.schema_registry\.url: expected http:\/\/… or https:\/\/…, found r:8081$/,
  )
})

describe('secrets', () => {
  const schema = section(
    {
      password: secret({ description: 'A password.' }),
      size: Type.Integer({ description: 'Size.', default: 1 }),
    },
    { description: 'Test.' },
  )
  const read = (text: string, environment: Record<string, string> = {}) =>
    readDocument<{ password: Secret; size: number }>(write('secret.yaml', text), schema, {
      rules: [],
      environment,
    })

  test('are never printed', () => {
    const config = read('password: hunter2')
    assert.equal(config.password.reveal(), 'hunter2')
    for (const shown of [
      JSON.stringify(config),
      inspect(config),
      `${config.password}`,
      inspect(config.password),
    ]) {
      assert.match(shown, /\[redacted\]/)
      assert.doesNotMatch(shown, /hunter2/)
    }
  })

  test('come from a variable or a file beside the configuration', () => {
    assert.equal(read('password: "$' + '{PW}"', { PW: 's3cret' }).password.reveal(), 's3cret')
    write('pw', 'from a file\n')
    assert.equal(read('password: file:pw').password.reveal(), 'from a file')
  })

  test('that cannot be read or are empty are refused, by the name of the file', () => {
    assert.match(
      problemsOf(() => read('password: file:absent')).join(),
      /secret\.yaml:1:11: password: .*absent.*no such file/,
    )
    write('void', '\n')
    assert.match(problemsOf(() => read('password: file:void')).join(), /void is empty/)
  })

  test('do not show in messages', () => {
    for (const text of [
      'password: [hunter2]',
      'password: hunter2\nsize: x',
      'password: "hunter2',
      'pasword: hunter2',
    ]) {
      assert.doesNotMatch(problemsOf(() => read(text)).join('\n'), /hunter2/)
    }
  })
})

test('durations survive printing', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000_000 }), (seconds) => {
      assert.equal(parseDuration(formatDuration(seconds)), seconds)
    }),
  )
  assert.equal(formatDuration(90), '90s')
  assert.equal(formatDuration(86_400), '1d')
  assert.throws(() => parseDuration('15 m'), /"15 m" is not a duration/)
})

test('the nearest word is found for one typing error, and none for another word', () => {
  const words = ['model', 'source', 'sinks', 'windows', 'lateness', 'anomalous_only']
  fc.assert(
    fc.property(fc.constantFrom(...words), fc.nat(), (word, at) => {
      const i = at % word.length
      assert.equal(nearest(word.slice(0, i) + word.slice(i + 1), words), word)
    }),
  )
  assert.equal(nearest('temperature', words), undefined)
})

test('the shipped configurations load', () => {
  const config = (name: string) => new URL(`../../config/${name}`, import.meta.url).pathname
  assert.equal(loadRunConfig(config('demo.yaml'), {}).source.type, 'simulator')
  const marconi = loadRunConfig(config('marconi100.yaml'), { KAFKA: 'kafka-1:9092' })
  assert.ok(marconi.source.type === 'kafka')
  assert.deepEqual(marconi.source.brokers, ['kafka-1:9092'])
  const mqtt = loadRunConfig(config('mqtt.yaml'), { MQTT: 'broker:1883' })
  assert.ok(mqtt.source.type === 'mqtt')
  assert.equal(mqtt.source.url, 'mqtt://broker:1883')
  const bridge = loadBridgeConfig(config('bridge.yaml'), { MQTT: 'broker:1883', KAFKA: 'kafka-1:9092' })
  assert.deepEqual([bridge.source.url, bridge.bridge.brokers], ['mqtt://broker:1883', ['kafka-1:9092']])
})
