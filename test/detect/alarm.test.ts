import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AlarmMemory, type Observation, startAlarm, stepAlarm } from '../../src/detect/alarm.ts'

const OPTIONS = { dwell: 2, clear: 2, warmup: 2 }
const WINDOW_MS = 900_000

/** A letter a window: n normal, A anomalous, i insufficient, s silent, m muted, r rebooted and normal. */
function observe(letter: string): Observation {
  const kind = letter === 'i' ? 'insufficient' : letter === 's' ? 'silent' : 'scored'
  return { kind, anomalous: letter === 'A', muted: letter === 'm', rebooted: letter === 'r' }
}

function states(letters: string, options = OPTIONS): string[] {
  let memory: AlarmMemory = startAlarm(options, 0)
  return [...letters].map((letter, i) => {
    memory = stepAlarm(memory, observe(letter), options, (i + 1) * WINDOW_MS)
    return memory.state
  })
}

const TABLE: [what: string, letters: string, expected: string][] = [
  ['warm-up raises nothing, but what lasts through it is known', 'AAA', 'learning learning anomalous'],
  ['dwell before anomalous', 'nnnAAA', 'learning learning normal pending anomalous anomalous'],
  ['one window over is only pending', 'nnnAn', 'learning learning normal pending normal'],
  [
    'clear before normal again',
    'nnnAAnAnn',
    'learning learning normal pending anomalous anomalous anomalous anomalous normal',
  ],
  ['muted at once, and back', 'nnnmmn', 'learning learning normal muted muted normal'],
  ['a muted node raises nothing', 'nnnAmmA', 'learning learning normal pending muted muted pending'],
  ['one window without enough data is no news', 'nnnin', 'learning learning normal normal normal'],
  ['two are', 'nnniin', 'learning learning normal normal insufficient normal'],
  ['silence too', 'nnnsss', 'learning learning normal normal silent silent'],
  ['what follows a mute is not known to be normal', 'nnnms', 'learning learning normal muted silent'],
  ['a reboot warms up again', 'nnnrAAA', 'learning learning normal learning learning learning anomalous'],
]

for (const [what, letters, expected] of TABLE) {
  test(what, () => assert.equal(states(letters).join(' '), expected))
}

test('without warm-up a node starts normal', () => {
  assert.deepEqual(states('n', { ...OPTIONS, warmup: 0 }), ['normal'])
})

test('`since` is the end of the window that brought the state, and a step leaves its argument alone', () => {
  const before = startAlarm({ ...OPTIONS, warmup: 0 }, 0)
  const copy = structuredClone(before)
  const pending = stepAlarm(before, observe('A'), OPTIONS, WINDOW_MS)
  assert.deepEqual(before, copy)
  assert.equal(pending.sinceMs, WINDOW_MS)
  const again = stepAlarm(pending, observe('A'), OPTIONS, 2 * WINDOW_MS)
  assert.deepEqual([again.state, again.sinceMs], ['anomalous', 2 * WINDOW_MS])
  assert.equal(stepAlarm(again, observe('A'), OPTIONS, 3 * WINDOW_MS).sinceMs, 2 * WINDOW_MS)
})
