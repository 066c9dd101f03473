/**
 * A real schema registry with Confluent's interface: Apicurio from Maven Central, one process on loopback, in memory. Needs `java`
 * and, the first time, `mvn` and `tar`.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePorts } from './ports.ts'

export interface TestRegistry {
  url: string
  kill(): Promise<void>
  /** Brings it up again; what was registered is gone. */
  start(): Promise<void>
  stop(): Promise<void>
}

const VERSION = '2.6.13.Final'
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/registry')
const JAR = `apicurio-registry-app-${VERSION}-runner.jar`
const START_TIMEOUT_MS = 90_000
const DOWNLOAD_TIMEOUT_MS = 300_000
const run = promisify(execFile)

/** Starts it, or says why it can't run here. With CI=true in the environment that is an error instead. */
export async function startRegistry(): Promise<TestRegistry | { skip: string }> {
  try {
    return await startOwn(await program())
  } catch (error) {
    const reason = `needs java 17, mvn and tar for the schema registry (${(error as Error).message.trim()})`
    if (process.env.CI === 'true') throw new Error(`registry tests: ${reason}`)
    console.error(`SKIPPED, registry tests: ${reason}`)
    return { skip: reason }
  }
}

/** Folder of the program; fetched once, and renamed into place when complete. */
async function program(): Promise<string> {
  const folder = join(CACHE, VERSION)
  if (existsSync(folder)) return folder
  const partial = `${folder}.tmp-${process.pid}`
  mkdirSync(partial, { recursive: true })
  const artifact = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`
  const copy = ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${partial}`]
  await run('mvn', ['-q', '-B', ...copy], { timeout: DOWNLOAD_TIMEOUT_MS })
  const archive = join(partial, `apicurio-registry-app-${VERSION}-all.tar.gz`)
  await run('tar', ['xzf', archive, '-C', partial])
  rmSync(archive)
  renameSync(partial, folder)
  return folder
}

async function startOwn(folder: string): Promise<TestRegistry> {
  const [port = 0] = await freePorts(1)
  const base = `http://127.0.0.1:${port}`
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
    const options = [
      '-Xmx384m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dquarkus.http.host=127.0.0.1',
    ]
    child = spawn('java', [...options, `-Dquarkus.http.port=${port}`, '-jar', join(folder, JAR)], {
      stdio: 'ignore',
    })
    child.unref()
    process.once('exit', () => child?.kill('SIGKILL'))
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!(await isReady(base))) {
      if (Date.now() > deadline) throw new Error(`no registry answers at ${base}`)
      await sleep(100)
    }
  }
  await start()
  return { url: `${base}/apis/ccompat/v7`, kill, start, stop: kill }
}

async function isReady(base: string): Promise<boolean> {
  try {
    return (await fetch(`${base}/health/ready`)).ok
  } catch {
    return false
  }
}
