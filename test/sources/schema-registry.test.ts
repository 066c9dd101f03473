/** Schemas from a real registry: found, unknown, refused, away; and flags as Avro, read by nothing but their schema's id. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import avro, { type Type } from 'avsc'
import { ALARM_TYPE, FLAG_TYPE } from '../../src/detect/record-avro.ts'
import type { FlagRecord } from '../../src/detect/records.ts'
import { AvroSchemas, registryHeader } from '../../src/examon/avro.ts'
import { KafkaSink } from '../../src/sinks/kafka.ts'
import { KafkaSource } from '../../src/sources/kafka.ts'
import { fetchSchema, RegistrySchemas, registerSchema } from '../../src/sources/schema-registry.ts'
import { ALL, configuration, send, simulate, terminate } from '../e2e/stream.ts'
import { alarm, flag } from '../sinks/records.ts'
import { startBroker } from '../support/broker.ts'
import { createTopic, pollUntil, uniqueName, until } from '../support/kafka.ts'
import { readCommitted } from '../support/line.ts'
import { startDaemon } from '../support/program.ts'
import { startRegistry } from '../support/registry.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-registry-'))
const [registry, broker] = await Promise.all([startRegistry(), startBroker()])
const skip = 'skip' in registry ? registry.skip : 'skip' in broker ? broker.skip : false
const url = 'url' in registry ? registry.url : ''
const bootstrap = 'bootstrap' in broker ? broker.bootstrap : ''
after(async () => {
  if ('stop' in registry) await registry.stop()
  if ('stop' in broker) await broker.stop()
  rmSync(folder, { recursive: true })
})
const address = { url, key: 'source.schema_registry' }
const numberSchema = { type: 'record', name: 'R', fields: [{ name: 'x', type: 'double' }] }
const { signal } = new AbortController()
const unscored = { score: null, p: null, mode: null, q: null, rack: null, top: [] }
const flags = [flag('n1', 0, true), flag('n2', 0, false), { ...flag('n3', 0, false), ...unscored }]
const alarms = [alarm('n1', 0), { ...alarm('n2', 0), rack: '7' }]

describe('schema registry', { skip }, () => {
  test('a schema is registered once and found by its id', async () => {
    const subject = uniqueName('subject')
    const id = await registerSchema(address, subject, numberSchema)
    assert.equal(await registerSchema(address, subject, numberSchema), id)
    const found = await fetchSchema(address, id)
    assert.ok('avro' in found)
    assert.deepEqual({ ...(found.avro.fromBuffer(found.avro.toBuffer({ x: 2.5 })) as object) }, { x: 2.5 })
  })

  test('what is not compatible is refused, naming registry and subject', async () => {
    const subject = uniqueName('subject')
    await registerSchema(address, subject, numberSchema)
    const compatibility = await fetch(`${url}/config/${subject}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ compatibility: 'BACKWARD' }),
    })
    assert.ok(compatibility.ok)
    const other = { ...numberSchema, fields: [{ name: 'x', type: 'string' }] }
    await assert.rejects(registerSchema(address, subject, other), (error: Error) => {
      assert.match(error.message, new RegExp(`${subject}-?.* not compatible`))
      assert.ok(error.message.includes(url))
      return true
    })
  })

  test('records wait while the registry is away, and go on when it is back', async () => {
    if (!('kill' in registry)) return
    const said: (string | null)[] = []
    const known = new AvroSchemas()
    const schemas = new RegistrySchemas(address, known, (reason) => said.push(reason))
    const value = Buffer.concat([registryHeader(1), Buffer.from([0])])
    const records = [{ key: null, value, partition: 0, offset: 0 }]
    await registry.kill()
    let isDone = false
    const preparing = schemas.prepare(records, signal).finally(() => {
      isDone = true
    })
    await until(() => said.length > 1, 'it is told that the registry is away')
    assert.ok(!isDone && said.every((reason) => reason?.startsWith(`schema registry ${url}: `)))
    await registry.start()
    await preparing
    assert.equal(said.at(-1), null)
    // In memory, it has forgotten the schema: that is an answer too.
    const content = known.read(value)
    assert.ok('problem' in content)
    assert.equal(content.problem, `schema 1: unknown to ${url}`)
  })

  test('an end while the registry is away ends the wait', async () => {
    const abort = new AbortController()
    const away = { url: 'http://127.0.0.1:1', key: 'source.schema_registry' }
    const schemas = new RegistrySchemas(away, new AvroSchemas(), () => abort.abort())
    const value = registryHeader(5)
    await schemas.prepare([{ key: null, value, partition: 0, offset: 0 }], abort.signal)
  })

  test('the registry is given name and password', async () => {
    let seen = ''
    const server = createServer((request, response) => {
      seen = request.headers.authorization ?? ''
      response.writeHead(401).end('{"error_code":401,"message":"who are you?"}')
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const asked = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const secured = { url: asked, key: 'sinks[0].schema_registry', username: 'u', password: 'p' }
    await assert.rejects(registerSchema(secured, 's', {}), {
      message: `schema registry ${asked} (config key sinks[0].schema_registry.url): HTTP 401: who are you?`,
    })
    assert.equal(seen, `Basic ${Buffer.from('u:p').toString('base64')}`)
    server.close()
  })

  test('flags and alarms as Avro are read back by the schemas that the sink registered', async () => {
    const [flagsTopic, alarmsTopic] = [await createTopic(bootstrap, 1), await createTopic(bootstrap, 1)]
    const sink = new KafkaSink({
      ...{ brokers: [bootstrap], clientId: 'test', flagsTopic, alarmsTopic, registry: address },
      ...{ anomalousOnly: false, createTopics: true },
    })
    await sink.start()
    await sink.write(flags, alarms)
    await sink.close()
    const source = new KafkaSource({
      ...{ brokers: [bootstrap], topics: [flagsTopic, alarmsTopic], group: uniqueName('group') },
      ...{ clientId: 'test', from: 'earliest' },
    })
    await source.start()
    const expected = [...flags, ...alarms]
    const { records } = await pollUntil(source, (seen) => seen.records.length === expected.length)
    await source.close()
    const known = new AvroSchemas()
    await new RegistrySchemas(address, known, () => {}).prepare(records, signal)
    const read = records.map(({ value }) => known.read(value ?? Buffer.alloc(0)))
    const byKind = (kind: string) =>
      read.flatMap((content) =>
        'value' in content && (content.value as { kind: string }).kind === kind ? [content.value] : [],
      )
    assert.deepEqual(byKind('flag'), flags)
    assert.deepEqual(byKind('alarm'), alarms)
    assert.equal(byKind('flag').length, flags.length)
  })
})

describe('the daemon', { skip }, () => {
  test('reads Avro, waits for the registry, and writes Avro in its transactions', async () => {
    if (!('kill' in registry)) return
    const good = await simulate()
    const text = await registerSchema(address, uniqueName('key'), { type: 'string' })
    const bytes = await registerSchema(address, uniqueName('value'), { type: 'bytes' })
    const [key, value] = [avro.Type.forSchema('string'), avro.Type.forSchema('bytes')]
    const described = good.map((message) => ({
      key: Buffer.concat([registryHeader(text), key.toBuffer(String(message.key))]),
      value: Buffer.concat([registryHeader(bytes), value.toBuffer(message.value)]),
    }))
    const topic = await createTopic(bootstrap, 1)
    await send(bootstrap, topic, 1, described)
    const { file, config, flags: flagsTopic } = configuration(bootstrap, folder, topic)
    const [sink] = config.sinks
    const schemaRegistry = { schema_registry: { url } }
    const daemon = await startDaemon(file, {
      ...config,
      source: { ...config.source, ...schemaRegistry },
      sinks: [{ ...sink, ...schemaRegistry, format: 'avro' }],
    })
    const known = new AvroSchemas()
    const fetching = new RegistrySchemas(address, known, () => {})
    const read = async () => {
      const records = await readCommitted(bootstrap, flagsTopic)
      await fetching.prepare(records, signal)
      return records.map((record) => known.read(record.value ?? Buffer.alloc(0)))
    }
    await until(async () => (await read()).length >= ALL, 'a flag for every window')
    await terminate(daemon)
    const found = await read()
    assert.equal(found.length, ALL)
    for (const content of found)
      assert.ok('value' in content && (content.value as FlagRecord).kind === 'flag')
  })
})

test('without a registry the sink does not start, and names the key', {
  skip: 'skip' in broker,
}, async () => {
  const sink = new KafkaSink({
    ...{ brokers: [bootstrap], clientId: 'test', flagsTopic: uniqueName('f'), alarmsTopic: uniqueName('a') },
    ...{ anomalousOnly: false, createTopics: true },
    registry: { url: 'http://127.0.0.1:1', key: 'sinks[0].schema_registry' },
  })
  await assert.rejects(sink.start(), /127\.0\.0\.1:1 \(config key sinks\[0\]\.schema_registry\.url\)/)
})

test('Avro types hold exactly what the records hold', () => {
  const through = (type: Type, record: object): unknown => ({
    ...(type.fromBuffer(type.toBuffer(record)) as object),
  })
  for (const one of flags) assert.deepEqual(plain(through(FLAG_TYPE, one)), one)
  for (const one of alarms) assert.deepEqual(plain(through(ALARM_TYPE, one)), one)
})

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
