/** The Avro form of flags and alarms against that of version 1, which never changes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import avro, { type Type } from 'avsc'
import { ALARM_TYPE, FLAG_TYPE } from '../../src/detect/record-avro.ts'
import { alarm, flag } from '../sinks/records.ts'

const first = (name: string): Type =>
  avro.Type.forSchema(JSON.parse(readFileSync(new URL(`${name}.v1.avsc`, import.meta.url), 'utf8')))

for (const [name, type, record] of [
  ['flag', FLAG_TYPE, flag('n1', 3, true)],
  ['alarm', ALARM_TYPE, alarm('n1', 3)],
] as const) {
  test(`readers of a ${name}'s first schema and of today's read each other's records`, () => {
    const old = first(name)
    const read = (reader: Type, writer: Type) =>
      reader.fromBuffer(writer.toBuffer(record), reader.createResolver(writer), true)
    // What version 1 has is there for its readers, and for today's.
    for (const seen of [read(old, type), read(type, old)]) {
      for (const [field, value] of Object.entries(record)) {
        assert.deepEqual(JSON.parse(JSON.stringify(seen))[field], value, field)
      }
    }
  })
}
