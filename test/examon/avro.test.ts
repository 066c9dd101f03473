import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import avro from 'avsc'
import fc from 'fast-check'
import { AvroSchemas, fingerprint, parseSchema } from '../../src/examon/avro.ts'
import { Decoder } from '../../src/examon/decode.ts'
import { decoded } from '../support/decoded.ts'

/** Written by fastavro, see test/compare/avro_golden.py. */
const golden = JSON.parse(readFileSync(new URL('forms/avro.golden.json', import.meta.url), 'utf8')) as {
  schemas: Record<string, unknown>
  single: unknown
  records: { name: string; key: string; value: string; expected: string[] }[]
}

function schemas(): AvroSchemas {
  const known = new AvroSchemas([parseSchema(JSON.stringify(golden.single))])
  for (const [id, schema] of Object.entries(golden.schemas)) {
    known.set(Number(id), { avro: parseSchema(JSON.stringify(schema)) })
  }
  known.set(8, { json: true })
  known.set(9, { refused: 'of type PROTOBUF' })
  return known
}

describe('records described by a schema', () => {
  for (const { name, key, value, expected } of golden.records)
    test(`${name}: ${expected.join(', ')}`, () => {
      const record = {
        key: Buffer.from(key, 'base64'),
        value: Buffer.from(value, 'base64'),
        partition: 0,
        offset: 3,
      }
      assert.deepEqual(decoded(new Decoder({ schemas: schemas() }), record), expected)
    })

  test('a fixed form takes its own and no other', () => {
    const read = (form: 'connect' | 'json', name: string): string[] => {
      const found = golden.records.find((record) => record.name === name)
      assert.ok(found)
      const record = {
        key: Buffer.from(found.key, 'base64'),
        value: Buffer.from(found.value, 'base64'),
        partition: 0,
        offset: 3,
      }
      return decoded(new Decoder({ schemas: schemas(), form }), record)
    }
    const [bytes, structure] = ['bytes as value, text as key', 'a sample as a record']
    assert.equal(read('connect', bytes).length, 1)
    assert.ok(read('connect', bytes)[0]?.includes(' '))
    assert.deepEqual(read('connect', structure), ['bad_payload'])
    assert.deepEqual(read('json', bytes), ['bad_payload'])
    assert.ok(read('json', structure)[0]?.includes(' '))
  })

  test('without a registry the reason names the key to set', () => {
    let said = ''
    const record = { key: null, value: Buffer.from([0, 0, 0, 0, 7, 1]), partition: 0, offset: 0 }
    new Decoder().decode(record, {
      sample: () => assert.fail(),
      maintenance: () => assert.fail(),
      drop: (_reason, _record, detail) => {
        said = detail
      },
    })
    assert.equal(said, 'schema 7, and there is no source.schema_registry to ask')
  })
})

test('a count beyond the bytes is refused before its entries are made', () => {
  // 2^40 entries, as a zigzag varint.
  const count = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x40])
  for (const schema of [
    { type: 'array', items: 'double' },
    { type: 'map', values: ['null', { type: 'array', items: 'string' }] },
  ]) {
    const known = new AvroSchemas()
    known.set(1, { avro: parseSchema(JSON.stringify(schema)) })
    const content = known.read(Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), count, Buffer.from([1, 2])]))
    assert.ok('problem' in content)
    assert.match(content.problem, /1099511627776 entries in 2 bytes/)
  }
})

test('fingerprints are those of the Avro specification', () => {
  // Apache Avro, share/test/data/schema-tests.txt.
  assert.equal(fingerprint(avro.Type.forSchema('null')), 7195948357588979594n)
  assert.equal(fingerprint(avro.Type.forSchema('int')), 8247732601305521295n)
})

test('any bytes after a magic are read or refused, never thrown at', () => {
  const decoder = new Decoder({ schemas: schemas() })
  const header = fc.oneof(
    fc.integer({ min: 0, max: 10 }).map((id) => Buffer.from([0, 0, 0, 0, id])),
    fc.constant(
      Buffer.from(
        golden.records.find(({ name }) => name === 'single object')?.value ?? '',
        'base64',
      ).subarray(0, 10),
    ),
  )
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 60 }), (start, rest) => {
      const value = Buffer.concat([start, rest])
      decoded(decoder, { key: value, value, partition: 0, offset: 0 })
    }),
    { numRuns: 5000 },
  )
})
