/** Scores in ExaMon's form through a real broker. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { Decoder } from '../../src/examon/decode.ts'
import { parseTopic } from '../../src/examon/topic.ts'
import { MqttSink, type MqttSinkOptions, messagesOf } from '../../src/sinks/mqtt.ts'
import { decoded } from '../support/decoded.ts'
import { uniqueName, until } from '../support/kafka.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { flag } from './records.ts'

const broker = await startMosquitto()
const skip = 'skip' in broker ? broker.skip : false
const url = 'url' in broker ? broker.url : ''
after(async () => {
  if ('stop' in broker) await broker.stop()
})

const PREFIX = 'org/cineca/cluster/marconi100'

function open(options: Partial<MqttSinkOptions> = {}) {
  const events: string[] = []
  const sink = new MqttSink({
    url,
    clientId: uniqueName('sink'),
    configKey: 'sinks[0]',
    prefix: PREFIX,
    anomalousOnly: false,
    onEvent: (name) => events.push(name),
    ...options,
  })
  return { sink, events }
}

/** Everything below `org/`, as it comes in. */
async function listen() {
  const client = await connectAsync(url, { protocolVersion: 4 })
  const messages: [string, string][] = []
  client.on('message', (topic, payload) => messages.push([topic, String(payload)]))
  await client.subscribeAsync('org/#', { qos: 1 })
  return { messages, close: () => client.endAsync() }
}

const scored = { ...flag('r206n05', 1, true), rack: '206', score: 1.25, state: 'anomalous' as const }

test('a scored window is two points at its end, in the topic that the site has for its nodes', () => {
  const seconds = (Date.parse(scored.window_end) / 1000).toFixed(3)
  const head = 'org/cineca/cluster/marconi100/node/r206n05/rack/206/plugin/examon-ai_pub/chnl/data'
  assert.deepEqual(messagesOf(scored, PREFIX), [
    [`${head}/dec_score`, `1.25;${seconds}`],
    [`${head}/dec_anomalous`, `1;${seconds}`],
  ])
  assert.deepEqual(messagesOf({ ...scored, score: null }, PREFIX), [])
  const [[topic = ''] = []] = messagesOf({ ...scored, node: 'a/b', rack: null, state: 'normal' }, '')
  const parsed = parseTopic(topic)
  assert.ok(typeof parsed !== 'string')
  assert.deepEqual([parsed.tags.get('node'), parsed.tags.has('rack')], ['a/b', false])
})

test('the daemon does not read its own scores', () => {
  for (const [topic, payload] of messagesOf(scored, PREFIX)) {
    const record = { key: Buffer.from(topic), value: Buffer.from(payload), partition: 0, offset: 0 }
    assert.deepEqual(decoded(new Decoder(), record), ['own_output'])
  }
})

describe('MQTT sink', { skip }, () => {
  test('scores arrive, each once', async () => {
    const { sink } = open()
    const heard = await listen()
    await sink.start()
    const flags = Array.from({ length: 300 }, (_, i) => ({ ...scored, node: `n${i}` }))
    await sink.write([...flags, { ...scored, node: 'unscored', score: null }])
    const expected = flags.flatMap((one) => messagesOf(one, PREFIX))
    await until(() => heard.messages.length >= expected.length, 'all points')
    assert.deepEqual(heard.messages.toSorted(), expected.toSorted())
    await heard.close()
    await sink.close()
  })

  test('anomalousOnly leaves out the rest', async () => {
    const { sink } = open({ anomalousOnly: true })
    const heard = await listen()
    await sink.start()
    await sink.write([{ ...scored, anomalous: false, node: 'quiet' }, scored])
    await until(() => heard.messages.length >= 2, 'the points of one node')
    assert.ok(heard.messages.every(([topic]) => topic.includes('/node/r206n05/')))
    await heard.close()
    await sink.close()
  })

  test('without its broker a write fails, and goes through once that is back', async () => {
    assert.ok('kill' in broker)
    const { sink, events } = open()
    await sink.start()
    await broker.kill()
    await until(() => events.includes('mqtt_lost'), 'the loss is told')
    await assert.rejects(sink.write([scored]), /no connection to the MQTT broker mqtt:/)
    await broker.start()
    await until(() => events.includes('mqtt_back'), 'the return is told')
    const heard = await listen()
    await sink.write([scored])
    await until(() => heard.messages.length >= 2, 'the points')
    await heard.close()
    await sink.close()
  })

  test('nobody there: the start ends and says which key to mend', async () => {
    const { sink } = open({ url: 'mqtt://127.0.0.1:1', startTimeoutMs: 200 })
    await assert.rejects(
      sink.start(),
      /^Error: no MQTT broker answers at .* \(config key sinks\[0\]\.url\): /,
    )
    await sink.close()
  })
})
