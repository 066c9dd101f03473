/** Real Prometheus and Alertmanager on loopback, each with a folder of its own; a hook that takes notifications. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './kafka.ts'
import { freePorts } from './ports.ts'

export interface Server {
  /** `http://127.0.0.1:PORT`. */
  url: string
  stop(): Promise<void>
}

/** Whether a program is there; with CI=true in the environment its absence is an error. `false`, or why to skip. */
export function skipWithout(program: string, what: string): string | false {
  if (spawnSync(program, ['--version']).status === 0) return false
  if (process.env.CI === 'true') throw new Error(`no ${program}: ${what} not checked`)
  return `NO ${program.toUpperCase()}: ${what.toUpperCase()} NOT CHECKED`
}

async function startServer(
  program: string,
  config: string,
  options: (folder: string) => string[],
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), `examon-dec-${program}-`))
  const file = join(folder, 'config.yml')
  writeFileSync(file, config)
  const [port = 0] = await freePorts(1)
  const child = spawn(
    program,
    [`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`, ...options(folder)],
    { stdio: 'ignore' },
  )
  process.once('exit', () => child.kill('SIGKILL'))
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const url = `http://127.0.0.1:${port}`
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(isReady, `${program} is ready`)
  return {
    url,
    async stop() {
      child.kill('SIGKILL')
      await gone
      rmSync(folder, { recursive: true })
    },
  }
}

/** `config` in Prometheus' YAML. */
export function startPrometheus(config: string): Promise<Server> {
  return startServer('prometheus', config, (folder) => [`--storage.tsdb.path=${join(folder, 'data')}`])
}

const ALERTMANAGER_CONFIG = new URL('../../deploy/alertmanager/alertmanager.yml', import.meta.url).pathname

/** Alertmanager with the configuration as it is shipped, but sooner, and with all receivers at `hook`. */
export function startAlertmanager(hook: Hook): Promise<Server> {
  const config = readFileSync(ALERTMANAGER_CONFIG, 'utf8')
    .replaceAll('127.0.0.1:9099', hook.address)
    .replace(/group_wait: \w+/, 'group_wait: 1s')
    .replace(/group_interval: \w+/, 'group_interval: 1s')
  return startServer('prometheus-alertmanager', config, (folder) => [
    `--storage.path=${join(folder, 'data')}`,
    '--cluster.listen-address=',
  ])
}

/** What Alertmanager sends to a webhook, as far as tests look at it. */
export interface Notification {
  status: 'firing' | 'resolved'
  groupLabels: Record<string, string>
  alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[]
}

export interface Hook {
  /** `host:port`. */
  address: string
  received: Notification[]
  close(): void
}

export async function openHook(): Promise<Hook> {
  const received: Notification[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (part) => {
      text += part
    })
    request.on('end', () => {
      received.push(JSON.parse(text))
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
