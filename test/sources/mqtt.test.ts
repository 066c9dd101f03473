/** The MQTT source against a real broker. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { Secret } from '../../src/config/secret.ts'
import { MqttSource, type MqttSourceOptions } from '../../src/sources/mqtt.ts'
import { openTls } from '../../src/sources/tls.ts'
import { pollUntil, uniqueName, until } from '../support/kafka.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { tlsFile } from '../support/secure.ts'

const broker = await startMosquitto()
const skip = 'skip' in broker ? broker.skip : false
const none = { url: '', secureUrl: '', user: { username: '', password: '' } }
const { url, secureUrl, user } = 'skip' in broker ? none : broker
after(async () => {
  if ('stop' in broker) await broker.stop()
})

function open(options: Partial<MqttSourceOptions> = {}) {
  const events: string[] = []
  const source = new MqttSource({
    url,
    topics: ['org/#'],
    clientId: uniqueName('client'),
    qos: 0,
    keepSession: false,
    onEvent: (name, detail) => events.push(`${name}: ${detail}`),
    ...options,
  })
  return { source, events }
}

async function publisher(): Promise<MqttClient> {
  return connectAsync(url, { clientId: uniqueName('publisher'), protocolVersion: 4 })
}

const topicOf = (i: number): string => `org/test/node/n${i % 7}/plugin/p/chnl/data/m${i % 5}`

describe('MQTT source', { skip }, () => {
  test('samples of the filter arrive in order, in the reference form', async () => {
    const { source } = open()
    await source.start()
    const client = await publisher()
    await client.publishAsync('elsewhere/a', 'x;1')
    for (let i = 0; i < 500; i++) await client.publishAsync(topicOf(i), `${i};1658832080.010`)
    await client.publishAsync('org/empty', '')
    const { records, assignments } = await pollUntil(source, (seen) => seen.records.length >= 501)
    assert.deepEqual(assignments, [[0]])
    assert.deepEqual(
      records
        .slice(0, 500)
        .map(({ key, value, partition, offset }) => [`${key}`, `${value}`, partition, offset]),
      Array.from({ length: 500 }, (_, i) => [topicOf(i), `${i};1658832080.010`, 0, i]),
    )
    assert.equal(records[500]?.value?.length, 0)
    assert.deepEqual(source.progress(), [{ partition: 0, position: 501, end: 501 }])
    await client.endAsync()
    await source.close()
  })

  test('a slow reader holds the bus back and keeps memory bounded; what was taken arrives in order', async () => {
    const { source } = open({ maxQueued: 100 })
    await source.start()
    const client = await publisher()
    const filler = 'x'.repeat(2000)
    for (let i = 0; i < 3000; i++) client.publish('org/a', `${i};1;${filler}`)
    await until(async () => source.progress()[0]?.end === 100, 'the queue is full')
    await client.publishAsync('org/a', `3000;1;${filler}`, { qos: 1 })
    assert.equal(source.progress()[0]?.end, 100, 'no more is taken')
    const numbers: number[] = []
    await until(async () => {
      const event = await source.poll(200)
      if (event.kind === 'records')
        numbers.push(...event.records.map(({ value }) => Number.parseInt(`${value}`, 10)))
      return event.kind === 'idle'
    }, 'all is read')
    assert.ok(numbers.length > 100, `${numbers.length} messages`)
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(numbers).size, numbers.length)
    await client.endAsync()
    await source.close()
  })

  test('an outage of the broker is sat out and told', async () => {
    assert.ok('kill' in broker)
    const { source, events } = open()
    await source.start()
    await pollUntil(source, (seen) => seen.assignments.length > 0)
    await broker.kill()
    await until(async () => events.length === 1, 'the loss is told')
    assert.deepEqual(await source.poll(10), { kind: 'idle' })
    await broker.start()
    await until(async () => events.length === 2, 'the return is told')
    assert.match(events[0] ?? '', /^mqtt_lost: mqtt:\/\/127\.0\.0\.1:\d+: /)
    assert.match(events[1] ?? '', /^mqtt_back: /)
    const client = await publisher()
    // Subscribed again after the connection stands: the first messages may still be too early.
    let sent = 0
    await until(async () => {
      await client.publishAsync('org/a', `${sent++};1`)
      return (await source.poll(50)).kind === 'records'
    }, 'samples arrive again')
    await client.endAsync()
    await source.close()
  })

  test('what was sent with QoS 1 while the client was away arrives where the session is kept', async () => {
    const options = { clientId: uniqueName('kept'), keepSession: true, qos: 1 } as const
    const first = open(options).source
    await first.start()
    await first.close()
    const client = await publisher()
    for (let i = 0; i < 50; i++) await client.publishAsync('org/a', `${i};1`, { qos: 1 })
    const second = open(options).source
    await second.start()
    const { records } = await pollUntil(second, (seen) => seen.records.length >= 50)
    assert.deepEqual(
      records.map(({ value }) => Number.parseInt(`${value}`, 10)),
      Array.from({ length: 50 }, (_, i) => i),
    )
    await client.endAsync()
    await second.close()
  })

  test('TLS and password', async () => {
    const tls = openTls({ ca: tlsFile('ca.pem') }, 'source.tls')
    const password = new Secret(user.password)
    const { source } = open({ url: secureUrl, tls, username: user.username, password })
    await source.start()
    const client = await publisher()
    await until(async () => {
      await client.publishAsync('org/a', '1;1')
      return (await source.poll(50)).kind === 'records'
    }, 'samples arrive')
    await client.endAsync()
    await source.close()
  })

  const CA = { tls: openTls({ ca: tlsFile('ca.pem') }, 'source.tls') }
  const wrong: [name: string, options: () => Partial<MqttSourceOptions>, RegExp][] = [
    [
      'a wrong password',
      () => ({ ...CA, url: secureUrl, username: user.username, password: new Secret('hunter2') }),
      /^MQTT broker mqtts:.* refuses the connection \(config key source\.username\): Connection refused: Not authorized$/,
    ],
    [
      'no password',
      () => ({ ...CA, url: secureUrl }),
      /refuses the connection \(config key source\.username\): Connection refused: Not authorized$/,
    ],
    [
      'another authority',
      () => ({ url: secureUrl, tls: openTls({ ca: tlsFile('stranger.pem') }, 'source.tls') }),
      /refuses the connection \(config key source\.tls\): /,
    ],
    [
      'nobody there',
      () => ({ url: 'mqtt://127.0.0.1:1', startTimeoutMs: 300 }),
      /^no MQTT broker answers at mqtt:\/\/127\.0\.0\.1:1 \(config key source\.url\): .*ECONNREFUSED/,
    ],
    [
      'no TLS where the broker wants it',
      () => ({ url: secureUrl.replace('mqtts', 'mqtt'), startTimeoutMs: 300 }),
      /^no MQTT broker answers at mqtt:/,
    ],
  ]
  for (const [name, options, pattern] of wrong) {
    test(`${name}: the start ends and says which key to mend`, async () => {
      const { source } = open(options())
      const error = await source.start().then(
        () => assert.fail('it starts'),
        (reason: Error) => reason,
      )
      assert.match(error.message, pattern)
      assert.doesNotMatch(error.message, /hunter2/)
      await source.close()
    })
  }
})
