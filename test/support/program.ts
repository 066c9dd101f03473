/** The program as a process of its own: one run to its end, or the daemon with its page and its log. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { after } from 'node:test'
import { stringify } from 'yaml'
import { until } from './kafka.ts'
import { collected } from './process.ts'

const PROGRAM = new URL('../../bin/examon-dec.js', import.meta.url).pathname

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Runs `examon-dec ARGS` to its end. */
export function runProgram(...args: string[]): Promise<Exit> {
  return launch(args).exit
}

export interface Daemon {
  pid: number
  /** Of its page. */
  url: string
  /** What it has written to stderr so far. */
  log(): string
  /** `/metrics` as values by series: `examon_dec_flags_total`, `examon_dec_drops_total{reason="late"}`. */
  metrics(): Promise<Map<string, number>>
  /** Body of any other path. */
  get(path: string, init?: RequestInit): Promise<{ status: number; body: string }>
  /** Resolves at its end. */
  exit: Promise<Exit>
  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<Exit>
}

/** Starts `run`, or another verb that serves a page, with the configuration, written to `file`, and waits for that page. */
export async function startDaemon(file: string, config: object, verb = 'run'): Promise<Daemon> {
  writeFileSync(file, stringify(config))
  const { child, exit, log } = launch([verb, '--config', file])
  let ended: Exit | null = null
  void exit.then((outcome) => {
    ended = outcome
  })
  let url = ''
  await until(() => {
    if (ended !== null) throw new Error(`the daemon ended at once: ${JSON.stringify(ended)}`)
    url = /"event":"listening","url":"([^"]+)"/.exec(log())?.[1] ?? ''
    return url !== ''
  }, 'the daemon serves its page')
  /** Sent by all requests, where the configuration asks for it. */
  const token = (config as { http?: { token?: string } }).http?.token
  const own: RequestInit = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }
  const get = async (path: string, init: RequestInit = own) => {
    if (ended !== null) throw new Error(`the daemon has ended: ${JSON.stringify(ended)}`)
    const response = await fetch(new URL(path, url), init)
    return { status: response.status, body: await response.text() }
  }
  return {
    pid: child.pid ?? 0,
    url,
    log,
    exit,
    get,
    metrics: async () => parseMetrics((await get('/metrics')).body),
    stop(signal) {
      child.kill(signal)
      return exit
    },
  }
}

/** Every process started here. A test that fails leaves none behind, which would also keep its file from ending. */
const children = new Set<ChildProcess>()
function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}
// Under the runner only: elsewhere a hook makes a program end with a report of no tests.
if (process.env.NODE_TEST_CONTEXT !== undefined) after(killAll)
process.on('exit', killAll)

/** Starts `examon-dec ARGS`; ends with this process at the latest. */
export function launch(args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const written = collected(child)
  const exit = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      children.delete(child)
      resolve({ code, signal, ...written })
    })
  })
  return { child, exit, log: () => written.stderr }
}

function parseMetrics(text: string): Map<string, number> {
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ')
    if (!line.startsWith('#') && space > 0) values.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return values
}
