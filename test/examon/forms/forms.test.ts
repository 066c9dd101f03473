/** Every form, record by record as in the golden files, told apart by content and fixed by configuration. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { Decoder } from '../../../src/examon/decode.ts'
import { FORMS, type Form } from '../../../src/examon/forms/form.ts'
import { MOST_UNPACKED_BYTES } from '../../../src/examon/forms/gzip.ts'
import type { SourceRecord } from '../../../src/sources/source.ts'
import { decoded } from '../../support/decoded.ts'

interface Golden {
  name: string
  headers?: Record<string, string>
  key: string | null
  value?: string
  /** Instead of `value`, where that is no text. */
  base64?: string
  expected: string[]
}

const golden = (form: Form): Golden[] =>
  JSON.parse(readFileSync(new URL(`${form}.golden.json`, import.meta.url), 'utf8'))

function recordOf({ headers = {}, key, value, base64 }: Golden): SourceRecord {
  return {
    headers: Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
    key: key === null ? null : Buffer.from(key),
    value: base64 === undefined ? Buffer.from(value ?? '') : Buffer.from(base64, 'base64'),
    partition: 0,
    offset: 7,
  }
}

for (const form of FORMS) {
  describe(`form ${form}`, () => {
    for (const entry of golden(form)) {
      test(`${entry.name}: ${entry.expected.join(', ') || 'nothing'}`, () => {
        const record = recordOf(entry)
        for (const option of ['auto', form] as const) {
          const decoder = new Decoder({ form: option })
          assert.deepEqual(decoded(decoder, record), entry.expected, `${option}, first sight`)
          assert.deepEqual(decoded(decoder, record), entry.expected, `${option}, known`)
        }
      })
    }
  })
}

test('a fixed form takes no samples of another, and says why', () => {
  for (const form of FORMS) {
    for (const other of FORMS.filter((f) => f !== form)) {
      for (const entry of golden(other)) {
        const lines = decoded(new Decoder({ form }), recordOf(entry))
        const taken = lines.filter((line) => line.includes(' '))
        assert.deepEqual(taken, [], `${entry.name} of ${other} read as ${form}`)
      }
    }
  }
})

test('forms may be mixed in one topic, in any order', () => {
  const all = FORMS.flatMap(golden)
  fc.assert(
    fc.property(fc.shuffledSubarray(all), (entries) => {
      const decoder = new Decoder()
      for (const entry of entries) assert.deepEqual(decoded(decoder, recordOf(entry)), entry.expected)
      const names = decoder.series.map(({ node, rack, sensor }) => `${node} ${rack} ${sensor}`)
      assert.ok(names.length <= all.length)
    }),
  )
})

test('any record of any form, changed anywhere, is read or refused', () => {
  const all = FORMS.flatMap(golden).map(recordOf)
  const change = fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.boolean() })
  const decoder = new Decoder()
  const fixed = FORMS.map((form) => new Decoder({ form }))
  const spoil = (bytes: Buffer | null, { at, to, cut }: { at: number; to: number; cut: boolean }) => {
    if (bytes === null || bytes.length === 0) return bytes
    const copy = Buffer.from(bytes)
    copy[at % copy.length] = to
    return cut ? copy.subarray(0, at % copy.length) : copy
  }
  fc.assert(
    fc.property(fc.constantFrom(...all), change, change, (record, ofKey, ofValue) => {
      const spoilt = { ...record, key: spoil(record.key, ofKey), value: spoil(record.value, ofValue) }
      for (const one of [decoder, ...fixed]) decoded(one, spoilt)
    }),
    { numRuns: 3000 },
  )
})

test('what unpacks to more than any payload is refused before it fills the memory', () => {
  const key = Buffer.from('node/n/plugin/p/chnl/data/a')
  const bomb = gzipSync(Buffer.alloc(MOST_UNPACKED_BYTES + 1, 0x20))
  assert.ok(bomb.length < 10_000)
  let told = ''
  const never = () => assert.fail('no sample')
  new Decoder().decode(
    { key, value: bomb, partition: 0, offset: 0 },
    { sample: never, maintenance: never, drop: (reason, _, detail) => (told = `${reason}: ${detail}`) },
  )
  assert.equal(told, `bad_gzip: more than ${MOST_UNPACKED_BYTES} bytes unpacked`)
})
