import assert from 'node:assert/strict'
import { test } from 'node:test'
import pino from 'pino'
import { STALL_MS, StallWatch } from '../../src/engine/stall.ts'
import { startHttp } from '../../src/telemetry/http.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'

function open() {
  const clock = { ms: 0 }
  const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: 'test' })
  telemetry.ready()
  const watch = new StallWatch(telemetry, () => clock.ms)
  const after = (ms: number): string | null => {
    clock.ms += ms
    watch.check()
    return telemetry.status.daemon.stalled
  }
  return { telemetry, watch, after }
}

test('a loop that reads, or that has nothing to read, stands never still', () => {
  const { watch, after } = open()
  for (let i = 0; i < 100; i++) {
    watch.turned(i, 1000)
    assert.equal(after(STALL_MS - 1), null)
  }
  for (let i = 0; i < 100; i++) {
    watch.turned(100, 0)
    assert.equal(after(STALL_MS - 1), null)
  }
})

test('a turn that does not end, and records that wait unread, are a stall until something moves', () => {
  const { watch, after } = open()
  watch.turned(5, 0)
  assert.equal(after(STALL_MS), null)
  assert.equal(after(1), 'a turn of the loop does not end')
  watch.turned(6, 0)
  assert.equal(after(0), null)
  let told: string | null = null
  for (let ms = 0; ms <= STALL_MS; ms += 1000) {
    watch.turned(6, 7)
    told = after(1000)
  }
  assert.equal(told, '7 records wait and none is read')
  watch.turned(7, 6)
  assert.equal(after(0), null)
})

test('an outage that is known is no stall, and the clock starts when it is over', () => {
  const { telemetry, watch, after } = open()
  watch.turned(5, 7)
  telemetry.notReady('no broker')
  for (let i = 0; i < 10; i++) assert.equal(after(STALL_MS), null)
  telemetry.ready()
  assert.equal(after(STALL_MS), null)
  assert.equal(after(1), 'a turn of the loop does not end')
})

test('liveness says so', async () => {
  const { telemetry, after } = open()
  const http = await startHttp({ host: '127.0.0.1', port: 0, telemetry })
  const health = async () => {
    const response = await fetch(new URL('healthz', http.url))
    return [response.status, await response.json()]
  }
  assert.deepEqual(await health(), [200, { status: 'ok' }])
  after(STALL_MS + 1)
  assert.deepEqual(await health(), [503, { status: 'stalled', reason: 'a turn of the loop does not end' }])
  await http.close()
})
