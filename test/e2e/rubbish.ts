/** What may come along on a bus, and the reason under which the daemon counts it. */
import type { DropReason } from '../../src/examon/sample.ts'
import { type Message, START_MS } from './stream.ts'

/** Topic of a metric of a node. */
export const at = (metric: string, tags = 'node/r205n01/plugin/ipmi_pub/chnl/data'): Buffer =>
  Buffer.from(`org/cineca/cluster/marconi100/${tags}/${metric}`)
/** A moment in the first window. */
export const EARLY = `${START_MS / 1000 + 60}`
const TOMORROW = `${Math.floor(Date.now() / 1000) + 86_400}`
const BYTES = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 151 + 89) % 256))

/** Rubbish and the reason under which each piece is counted; null for what is silently passed over. */
const RUBBISH: [reason: DropReason | null, key: Buffer | null, value: Buffer | string | null][] = [
  ['no_topic', null, `1;${EARLY}`],
  ['no_topic', Buffer.alloc(0), `1;${EARLY}`],
  ['bad_topic', Buffer.from('r205n01'), `1;${EARLY}`],
  ['bad_topic', Buffer.from('a/b/c'), `1;${EARLY}`],
  ['bad_topic', Buffer.from('///'), `1;${EARLY}`],
  ['bad_topic', BYTES, `1;${EARLY}`],
  ['bad_topic', at('x'.repeat(2000)), `1;${EARLY}`],
  ['not_data', at('ambient', 'node/r205n01/plugin/ipmi_pub/chnl/cmd'), `1;${EARLY}`],
  ['no_node', at('pue', 'plugin/logics_pub/chnl/data'), `1;${EARLY}`],
  ['own_output', at('score', 'node/r205n01/plugin/examon-ai_pub/chnl/data'), `1;${EARLY}`],
  ['no_value', at('ambient'), null],
  ['no_value', at('ambient'), ''],
  ['bad_payload', at('ambient'), 'no semicolon'],
  ['bad_time', at('ambient'), BYTES], // there is a semicolon among them, and no time behind it
  ['bad_payload', at('ambient'), '{"metric": "ambient"'.concat('}}')],
  ['bad_payload', at('ambient'), '[1, 2]'],
  ['bad_payload', at('ambient'), '[1, "x", null]'],
  ['not_numeric', at('ambient'), `on;${EARLY}`],
  ['not_finite', at('ambient'), `nan;${EARLY}`],
  ['not_finite', at('ambient'), `-inf;${EARLY}`],
  ['not_finite', at('ambient'), `1e999;${EARLY}`],
  ['bad_time', at('ambient'), '21.5;'],
  ['bad_time', at('ambient'), '21.5;yesterday'],
  ['bad_time', at('ambient'), '21.5;-60'],
  ['unknown_metric', at('no_such_metric'), `1;${EARLY}`],
  ['future', at('ambient'), `21.5;${TOMORROW}`],
  [null, at('ambient'), 'CK'],
]

/** All of it once, and how often each reason is to be counted for that. */
export function rubbish(): { messages: Message[]; counts: Map<DropReason, number> } {
  const counts = new Map<DropReason, number>()
  for (const [reason, , value] of RUBBISH) {
    if (reason === null) continue
    // Each element of a JSON list is a drop of its own.
    const drops =
      typeof value === 'string' && value.startsWith('[') ? (JSON.parse(value) as unknown[]).length : 1
    counts.set(reason, (counts.get(reason) ?? 0) + drops)
  }
  const messages = RUBBISH.map(([, key, value]) => ({
    key,
    value: typeof value === 'string' ? Buffer.from(value) : value,
  }))
  return { messages, counts }
}
