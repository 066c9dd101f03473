import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type Type from 'typebox'
import type { AlarmRecordSchema, FlagRecordSchema } from '../../src/detect/record-schemas.ts'
import type { AlarmRecord, FlagRecord } from '../../src/detect/records.ts'

const flag: FlagRecord = {
  kind: 'flag',
  v: 1,
  node: 'r206n05',
  rack: 'r206',
  window_start: '2020-03-09T00:00:00.000Z',
  window_end: '2020-03-09T00:15:00.000Z',
  score: 1.7,
  p: 0.001,
  anomalous: true,
  state: 'pending',
  since: '2020-03-09T00:15:00.000Z',
  mode: 3,
  q: 0.92,
  coverage: 0.98,
  top: [{ metric: 'fan0_0', statistic: 'avg', observed: 0, expected: 9300.5, share: 0.8 }],
  model: '0123456789ab',
}

const unscored: FlagRecord = {
  ...flag,
  rack: null,
  score: null,
  p: null,
  anomalous: false,
  state: 'insufficient',
  mode: null,
  q: null,
  coverage: 0,
  top: [],
}

const alarm: AlarmRecord = {
  kind: 'alarm',
  v: 1,
  node: 'r206n05',
  rack: null,
  at: '2020-03-09T00:30:00.000Z',
  from: 'pending',
  to: 'anomalous',
  since: '2020-03-09T00:15:00.000Z',
  score: 2.5,
  p: 0.001,
  mode: 3,
  top: [{ metric: 'fan0_0', statistic: 'avg', observed: null, expected: null, share: 1 }],
  model: '0123456789ab',
}

// The types of schema and record are the same: each can stand for the other, down to the set of keys.
type Same<A, B> = [A, keyof A] extends [B, keyof B]
  ? [B, keyof B] extends [A, keyof A]
    ? true
    : false
  : false
const sameTypes: [
  Same<Type.Static<typeof FlagRecordSchema>, FlagRecord>,
  Same<Type.Static<typeof AlarmRecordSchema>, AlarmRecord>,
] = [true, true]
void sameTypes

function validator(name: string) {
  const text = readFileSync(new URL(`../../config/schemas/${name}`, import.meta.url), 'utf8')
  return new Ajv2020({ strict: true, allowUnionTypes: true }).compile<unknown>(JSON.parse(text))
}

const cases = {
  'flag.schema.json': {
    good: [flag, unscored, { ...flag, later_field: 1 }],
    bad: [
      alarm,
      { ...flag, v: 2 },
      { ...flag, node: '' },
      { ...flag, state: 'sad' },
      { ...flag, q: 1.5 },
      { ...flag, mode: 1.5 },
      { ...flag, window_end: 1_583_712_000_000 },
      { ...flag, window_end: '2020-03-09T00:15:00+01:00' },
      { ...flag, score: '1.7' },
      { ...flag, model: 'latest' },
      { ...flag, top: [{ metric: 'a' }] },
      { ...flag, top: [{ ...flag.top[0], statistic: 'median' }] },
      Object.fromEntries(Object.entries(flag).filter(([key]) => key !== 'score')),
    ],
  },
  'alarm.schema.json': {
    good: [alarm, { ...alarm, score: null, p: null, mode: null, top: [] }],
    bad: [
      flag,
      { ...alarm, to: 'gone' },
      { ...alarm, from: null },
      { ...alarm, at: 'now' },
      { ...alarm, rack: 206 },
    ],
  },
}

for (const [name, { good, bad }] of Object.entries(cases)) {
  describe(name, () => {
    const validate = validator(name)
    for (const record of good) {
      test(`takes ${JSON.stringify(record).slice(0, 60)}…`, () => {
        assert.ok(validate(record), JSON.stringify(validate.errors))
      })
    }
    test('refuses broken records', () => {
      for (const record of bad) assert.equal(validate(record), false, JSON.stringify(record))
    })
    test('says in words what each field is', () => {
      const schema = validate.schema as {
        properties: Record<string, { description?: string; const?: unknown }>
      }
      for (const [key, field] of Object.entries(schema.properties)) {
        assert.ok(field.description ?? field.const, key)
      }
    })
  })
}
