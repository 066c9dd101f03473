import assert from 'node:assert/strict'
import type { Decoder } from '../../src/examon/decode.ts'
import type { SourceRecord } from '../../src/sources/source.ts'

/** What the decoder says, one line a call: `node rack sensor value time`, `node rack muted time` or the reason. */
export function decoded(decoder: Decoder, record: SourceRecord): string[] {
  const calls: string[] = []
  decoder.decode(record, {
    sample: (s, number, timeMs) => {
      assert.equal(decoder.series[s.id], s)
      calls.push(`${s.node} ${s.rack} ${s.sensor} ${number} ${timeMs}`)
    },
    maintenance: (node, rack, muted, timeMs) =>
      calls.push(`${node} ${rack} ${muted ? 'muted' : 'back'} ${timeMs}`),
    drop: (reason, _, detail) => {
      assert.ok(detail.length > 0 && detail.length < 200)
      calls.push(reason)
    },
  })
  return calls
}
