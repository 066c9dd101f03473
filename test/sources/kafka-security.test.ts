/** Encryption and authentication against a real broker's listeners, and the word that a wrong setting gets. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Secret } from '../../src/config/secret.ts'
import type { SaslConfig, TlsConfig } from '../../src/config/security.ts'
import { KafkaCheckpoint } from '../../src/engine/checkpoint.ts'
import { KafkaSink } from '../../src/sinks/kafka.ts'
import { TransactionalWriter } from '../../src/sinks/transaction.ts'
import { KafkaSource, type KafkaSourceOptions } from '../../src/sources/kafka.ts'
import { openSecurity } from '../../src/sources/kafka-security.ts'
import { startBroker } from '../support/broker.ts'
import { createTopic, pollUntil, produceRaw, uniqueName } from '../support/kafka.ts'
import { readFlags } from '../support/line.ts'
import { tlsFile, USERS, unsignedToken } from '../support/secure.ts'

const broker = await startBroker(true)
const skip = 'skip' in broker ? broker.skip : false
const { bootstrap, sasl, mtls } = 'skip' in broker ? { bootstrap: '', sasl: '', mtls: '' } : broker
const folder = mkdtempSync(join(tmpdir(), 'examon-dec-security-'))
after(async () => {
  if ('stop' in broker) await broker.stop()
  rmSync(folder, { recursive: true })
})

const topic = skip === false ? await createTopic(bootstrap, 1) : ''
if (skip === false) {
  await produceRaw(bootstrap, topic, [{ partition: 0, key: Buffer.from('k'), value: Buffer.from('v') }])
}

interface Settings {
  tls?: TlsConfig
  sasl?: SaslConfig
}

function open(address: string, settings: Settings, more: Partial<KafkaSourceOptions> = {}): KafkaSource {
  return new KafkaSource({
    brokers: [address],
    security: openSecurity(settings, 'source'),
    topics: [topic],
    group: uniqueName('group'),
    clientId: 'test',
    from: 'earliest',
    ...more,
  })
}

const CA = { ca: tlsFile('ca.pem') }
const user = (mechanism: SaslConfig['mechanism'], username: string, password: string): SaslConfig => ({
  mechanism,
  username,
  password: new Secret(password),
})

function token(lifetimeSeconds: number): SaslConfig {
  const file = join(folder, uniqueName('token'))
  writeFileSync(file, `${unsignedToken(lifetimeSeconds)}\n`)
  return { mechanism: 'oauthbearer', token_file: file }
}

const READS: [name: string, listener: 'sasl' | 'mtls', settings: () => Settings][] = [
  ['PLAIN', 'sasl', () => ({ tls: CA, sasl: user('plain', 'plain', USERS.plain) })],
  ['SCRAM-SHA-256', 'sasl', () => ({ tls: CA, sasl: user('scram-sha-256', 'scram256', USERS.scram256) })],
  ['SCRAM-SHA-512', 'sasl', () => ({ tls: CA, sasl: user('scram-sha-512', 'scram512', USERS.scram512) })],
  ['OAUTHBEARER', 'sasl', () => ({ tls: CA, sasl: token(600) })],
  ['mutual TLS', 'mtls', () => ({ tls: { ...CA, cert: tlsFile('client.pem'), key: tlsFile('client.key') } })],
  [
    'mutual TLS, the key encrypted',
    'mtls',
    () => ({
      tls: {
        ...CA,
        cert: tlsFile('client.pem'),
        key: tlsFile('client-encrypted.key'),
        passphrase: new Secret('correct-horse'),
      },
    }),
  ],
]

const REFUSED: [name: string, listener: 'sasl' | 'mtls', settings: () => Settings, RegExp][] = [
  [
    'a wrong password',
    'sasl',
    () => ({ tls: CA, sasl: user('plain', 'plain', 'no') }),
    /sasl\): SASL authentication failed/,
  ],
  [
    'a wrong SCRAM password',
    'sasl',
    () => ({ tls: CA, sasl: user('scram-sha-512', 'scram512', 'no') }),
    /sasl\): SASL authentication failed/,
  ],
  ['an unknown user', 'sasl', () => ({ tls: CA, sasl: user('scram-sha-256', 'who', 'no') }), /sasl\): /],
  ['an expired token', 'sasl', () => ({ tls: CA, sasl: token(-600) }), /sasl\): /],
  [
    'a token file that is gone',
    'sasl',
    () => ({ tls: CA, sasl: { mechanism: 'oauthbearer', token_file: join(folder, 'gone') } }),
    /sasl\): .*gone/,
  ],
  [
    'an authority that did not sign the broker',
    'sasl',
    () => ({ tls: { ca: tlsFile('stranger.pem') } }),
    /tls\): /,
  ],
  ['no authority named', 'sasl', () => ({ tls: {} }), /tls\): /],
  ['no TLS where the broker wants it', 'sasl', () => ({}), /tls\): Broker requires TLS/],
  [
    'no certificate where the broker wants one',
    'mtls',
    () => ({ tls: CA }),
    /tls\): .*it wants a certificate/,
  ],
  [
    'a certificate that nobody knows',
    'mtls',
    () => ({ tls: { ...CA, cert: tlsFile('stranger.pem'), key: tlsFile('stranger.key') } }),
    /tls\): /,
  ],
]

describe('a secured cluster', { skip }, () => {
  const addresses = { sasl, mtls }

  for (const [name, listener, settings] of READS) {
    test(`is read with ${name}`, async () => {
      const source = open(addresses[listener], settings())
      await source.start()
      const { records } = await pollUntil(source, (seen) => seen.records.length >= 1)
      assert.equal(String(records[0]?.value), 'v')
      await source.close()
    })
  }

  for (const [name, listener, settings, pattern] of REFUSED) {
    test(`refuses ${name} at once, and the message says where to look`, async () => {
      const started = performance.now()
      const source = open(addresses[listener], settings())
      const error = await source.start().then(
        () => assert.fail('it starts'),
        (reason: Error) => reason,
      )
      assert.match(error.message, /^Kafka at 127\.0\.0\.1:\d+ refuses the connection \(config key source\./)
      assert.match(error.message, pattern)
      assert.doesNotMatch(error.message, /password|no\b.*;/)
      // Below the ten seconds for which an absent broker is awaited.
      assert.ok(performance.now() - started < 8000, 'it does not try for long')
      await source.close()
    })
  }

  test('takes flags and keeps state the same way', async () => {
    const settings = { tls: CA, sasl: user('scram-sha-512', 'scram512', USERS.scram512) }
    const security = openSecurity(settings, 'sinks[0]')
    const common = { brokers: [sasl], clientId: 'test', security }
    const sink = new KafkaSink({
      ...common,
      flagsTopic: uniqueName('flags'),
      alarmsTopic: uniqueName('alarms'),
      anomalousOnly: false,
      createTopics: true,
    })
    await sink.start()
    await sink.close()
    const checkpoint = await KafkaCheckpoint.open({ ...common, topic: uniqueName('state'), partitions: 1 })
    await checkpoint.save(new Map([['n', { x: 1 }]]))
    assert.deepEqual(await checkpoint.restore(), new Map([['n', { x: 1 }]]))
    await checkpoint.close()

    const wrong = {
      ...common,
      security: openSecurity({ tls: CA, sasl: user('plain', 'plain', '') }, 'sinks[0]'),
    }
    const refused = new KafkaSink({
      ...wrong,
      flagsTopic: 'flags',
      alarmsTopic: 'alarms',
      anomalousOnly: false,
      createTopics: true,
    })
    await assert.rejects(refused.start(), /config key sinks\[0\]\.sasl\): SASL authentication failed/)
  })

  for (const [name, listener, settings] of READS)
    test(`commits transactions with ${name}`, async () => {
      const topic = await createTopic(bootstrap, 1)
      const security = openSecurity(settings(), 'source')
      const address = {
        brokers: [addresses[listener]],
        clientId: 'test',
        security,
        brokersKey: 'source.brokers',
      }
      const writer = new TransactionalWriter(address, topic)
      await writer.open()
      await writer.commit([{ topic, key: Buffer.from('n'), value: Buffer.from('1') }], async () => {})
      await writer.close()
      assert.deepEqual(await readFlags(bootstrap, topic), [1])
    })

  test('TLS where the broker has none may pass, and is told when it does not', async () => {
    const source = open(bootstrap, { tls: CA }, { startTimeoutMs: 600 })
    await assert.rejects(source.start(), /no Kafka broker answers .*does the broker speak TLS there\?$/)
    await source.close()
  })
})

describe('files', () => {
  const cert = tlsFile('client.pem')
  const key = tlsFile('client-encrypted.key')
  const note = join(folder, 'note.txt')
  writeFileSync(note, 'no certificate\n')
  const bad: [name: string, TlsConfig, RegExp][] = [
    [
      'absent',
      { ca: join(folder, 'absent.pem') },
      /^Error: can't read .*absent\.pem \(config key source\.tls\.ca\): ENOENT/,
    ],
    ['without PEM', { ca: note }, /^Error: .*note\.txt holds no PEM block \(config key source\.tls\.ca\)$/],
    [
      'a key of another certificate',
      { cert, key: tlsFile('stranger.key') },
      /TLS can't use .*stranger\.key \(config key source\.tls\)/,
    ],
    ['a key that is closed', { cert, key }, /TLS can't use .*client-encrypted\.key/],
    [
      'a wrong passphrase',
      { cert, key, passphrase: new Secret('battery') },
      /TLS can't use .*client-encrypted\.key/,
    ],
  ]
  for (const [name, tls, pattern] of bad) {
    test(`${name}: named with the key of the configuration`, () => {
      assert.throws(
        () => openSecurity({ tls }, 'source'),
        (error: Error) => {
          assert.match(String(error), pattern)
          assert.doesNotMatch(String(error), /battery/)
          return true
        },
      )
    })
  }
})
