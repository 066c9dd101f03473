import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, test } from 'node:test'
import pino from 'pino'
import { notifyServiceManager } from '../../src/telemetry/service-manager.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { noNotify, openNotifySocket } from '../support/notify-socket.ts'

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-notify-'))
after(() => rmSync(folder, { recursive: true }))

const quiet = () => new Telemetry({ logger: pino({ level: 'silent' }), version: '1' })

test('systemd hears of start, state and end; a daemon that stands still is alive no more', {
  skip: noNotify(),
}, async () => {
  const path = join(folder, 'notify')
  const socket = await openNotifySocket(path)
  const telemetry = quiet()
  telemetry.notReady('no broker')
  const environment = { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000' }
  const manager = notifyServiceManager(telemetry, environment)
  await socket.until((line) => line === 'READY=1')
  await socket.until((line) => line === `MAINPID=${process.pid}`)
  await socket.until((line) => line === 'STATUS=not ready: no broker')
  telemetry.ready()
  await socket.until((line) => line === 'STATUS=ready')
  await socket.until((line) => line === 'WATCHDOG=1')
  telemetry.stalled('no commit for 300 s')
  await socket.until((line) => line === 'STATUS=no commit for 300 s')
  // What was sent before may still come in.
  await settled(socket.lines)
  const alive = socket.lines.filter((line) => line === 'WATCHDOG=1').length
  const reports = socket.lines.length
  while (socket.lines.length < reports + 3) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(socket.lines.filter((line) => line === 'WATCHDOG=1').length, alive)
  manager.stop()
  await socket.until((line) => line === 'STOPPING=1')
  socket.close()
})

/** Until three reports in a row were without a sign of life. */
async function settled(lines: readonly string[]): Promise<void> {
  while (lines.slice(-3).some((line) => !line.startsWith('STATUS=no commit')))
    await new Promise((resolve) => setTimeout(resolve, 20))
}

test('without systemd nothing is done; where it can not be told, the log says so once', async () => {
  notifyServiceManager(quiet(), {}).stop()
  const logged: string[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      logged.push(String(chunk))
      done()
    },
  })
  const telemetry = new Telemetry({ logger: pino({ level: 'warn' }, stream), version: '1' })
  const environment = { PATH: folder, NOTIFY_SOCKET: join(folder, 'gone'), WATCHDOG_USEC: '10000' }
  const manager = notifyServiceManager(telemetry, environment)
  while (logged.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await new Promise((resolve) => setTimeout(resolve, 50))
  manager.stop()
  assert.equal(logged.length, 1)
  assert.match(logged[0] ?? '', /service_manager_failed.*systemd can not be told the state/)
})
