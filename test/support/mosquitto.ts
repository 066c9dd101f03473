/** A real MQTT broker for tests: Mosquitto on loopback, its files in a folder of its own. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { answers, freePorts } from './ports.ts'
import { tlsFile } from './secure.ts'

export interface Mosquitto {
  /** For anybody. */
  url: string
  /** With TLS, for those who have a password. */
  secureUrl: string
  user: { username: string; password: string }
  /** Takes it down at once. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 10_000
const USER = { username: 'examon', password: 'mqtt-password' }

/** Starts it, or says why it can't run here. With CI=true in the environment that is an error instead. */
export async function startMosquitto(): Promise<Mosquitto | { skip: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'examon-dec-mosquitto-'))
  const passwords = join(folder, 'passwords')
  writeFileSync(passwords, '')
  try {
    execFileSync('mosquitto_passwd', ['-b', passwords, USER.username, USER.password], { stdio: 'ignore' })
  } catch {
    rmSync(folder, { recursive: true })
    const reason = 'needs mosquitto (Debian package mosquitto)'
    if (process.env.CI === 'true') throw new Error(`MQTT tests: ${reason}`)
    console.error(`SKIPPED, MQTT tests: ${reason}`)
    return { skip: reason }
  }
  const [plain = 0, secure = 0] = await freePorts(2)
  const config = join(folder, 'mosquitto.conf')
  writeFileSync(
    config,
    `${process.getuid?.() === 0 ? 'user root\n' : ''}per_listener_settings true
max_queued_messages 0
listener ${plain} 127.0.0.1
allow_anonymous true
listener ${secure} 127.0.0.1
allow_anonymous false
password_file ${passwords}
cafile ${tlsFile('ca.pem')}
certfile ${tlsFile('broker-keystore.pem')}
keyfile ${tlsFile('broker-keystore.pem')}
`,
  )
  let child: ReturnType<typeof spawn> | null = null
  async function kill(): Promise<void> {
    const dying = child
    if (dying === null) return
    child = null
    dying.ref()
    const gone = new Promise((resolve) => dying.once('exit', resolve))
    dying.kill('SIGKILL')
    await gone
  }
  async function start(): Promise<void> {
    child = spawn('mosquitto', ['-c', config], { stdio: 'ignore' })
    child.unref()
    process.once('exit', () => child?.kill('SIGKILL'))
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!(await answers(plain))) {
      if (Date.now() > deadline) throw new Error(`mosquitto does not answer on port ${plain}`)
      await sleep(20)
    }
  }
  await start()
  return {
    url: `mqtt://127.0.0.1:${plain}`,
    secureUrl: `mqtts://127.0.0.1:${secure}`,
    user: USER,
    kill,
    start,
    async stop() {
      await kill()
      rmSync(folder, { recursive: true })
    },
  }
}
