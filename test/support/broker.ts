/**
 * A real Kafka broker for tests and benchmarks: Kafka 4.2 from Maven Central (test/pom.xml), one process in KRaft mode on
 * loopback, its data in a folder of its own. Needs `java` (17 or newer) and, the first time, `mvn`.
 */
import { execFile, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { answers, freePorts } from './ports.ts'
import { SCRAM_ARGUMENTS, secureProperties } from './secure.ts'

export interface TestBroker {
  /** `host:port` for clients. */
  bootstrap: string
  /** The same for those who authenticate, see secure.ts; only where that was asked for. */
  sasl: string
  mtls: string
  /** A broker that was already there (`EXAMON_DEC_TEST_KAFKA`): it can be neither killed nor started. */
  external: boolean
  /** Takes the broker down at once, as a crash would; its data and port stay. */
  kill(): Promise<void>
  /** Brings it up again after `kill`. */
  start(): Promise<void>
  /** Takes it down for good and removes its data. */
  stop(): Promise<void>
}

const run = promisify(execFile)
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/kafka')
const POM = join(import.meta.dirname, '../pom.xml')
const START_TIMEOUT_MS = 60_000
const DOWNLOAD_TIMEOUT_MS = 300_000

/**
 * Starts the broker, or says why it can't run here. With CI=true in the environment that is an error instead. One with
 * `secure` listeners, or with `changes` of its properties, is always an own one.
 */
export async function startBroker(secure = false, changes = ''): Promise<TestBroker | { skip: string }> {
  const given = process.env.EXAMON_DEC_TEST_KAFKA
  if (given && !secure && changes === '') {
    const nothing = async () => {}
    return {
      bootstrap: given,
      sasl: '',
      mtls: '',
      external: true,
      kill: nothing,
      start: nothing,
      stop: nothing,
    }
  }
  try {
    await run('java', ['-version'])
  } catch {
    return unavailable('needs java 17 or newer for the broker, or EXAMON_DEC_TEST_KAFKA=host:port')
  }
  let libraries: string
  try {
    libraries = await kafkaLibraries()
  } catch (error) {
    return unavailable(
      `could not get Kafka through mvn (${(error as Error).message.trim()}); EXAMON_DEC_TEST_KAFKA=host:port replaces it`,
    )
  }
  return startOwnBroker(libraries, secure, changes)
}

function unavailable(reason: string): { skip: string } {
  if (process.env.CI === 'true') throw new Error(`Kafka tests: ${reason}`)
  console.error(`SKIPPED, Kafka tests: ${reason}`)
  return { skip: reason }
}

/** Folder with Kafka's jars; fetched once, by one process, and renamed into place when complete. */
export async function kafkaLibraries(): Promise<string> {
  const version = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)/.exec(
    await readFile(POM, 'utf8'),
  )?.[1]
  const libraries = join(CACHE, `libs-${version}`)
  mkdirSync(CACHE, { recursive: true })
  const lock = join(CACHE, 'lock')
  const deadline = Date.now() + DOWNLOAD_TIMEOUT_MS
  while (!existsSync(libraries)) {
    if (!tryLock(lock)) {
      if (Date.now() > deadline) throw new Error(`another process holds ${lock}`)
      await sleep(200)
      continue
    }
    try {
      const partial = `${libraries}.tmp`
      rmSync(partial, { recursive: true, force: true })
      const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${partial}`]
      await run('mvn', ['-q', '-B', '-f', POM, ...goal], { timeout: DOWNLOAD_TIMEOUT_MS })
      renameSync(partial, libraries)
    } finally {
      rmSync(lock, { force: true })
    }
  }
  return libraries
}

/** Creates the lock file; one that outlived its owner by far is broken. */
function tryLock(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx'))
    return true
  } catch {
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > DOWNLOAD_TIMEOUT_MS) rmSync(lock, { force: true })
    return false
  }
}

/** Small for a test: few internal partitions, no waiting for group members, every topic on purpose, soon back after a crash. */
function properties([port, controllerPort, ...securePorts]: number[], folder: string): string {
  const [sasl, mtls] = securePorts.map((p) => `://127.0.0.1:${p}`)
  const listeners = sasl === undefined ? '' : `,SASL${sasl},MTLS${mtls}`
  const protocols = sasl === undefined ? '' : ',SASL:SASL_SSL,MTLS:SSL'
  return `${sasl === undefined ? '' : secureProperties()}
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}
log.dirs=${folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
`
}

const JAVA = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=WARN', '-cp']

/**
 * The broker runs below a shell that waits on its standard input: when this process ends, however it ends, the pipe
 * closes, and the shell kills the broker and removes its folder, unless it was told to keep that.
 */
const KEEPER =
  'folder=$1; shift; java "$@" & read word; kill -9 $!; wait $!; [ "$word" = keep ] || rm -rf "$folder"'

async function startOwnBroker(libraries: string, secure: boolean, changes: string): Promise<TestBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'examon-dec-kafka-'))
  const classpath = `${libraries}/*`
  const config = join(folder, 'server.properties')
  const ports = await freePorts(secure ? 4 : 2)
  const [port = 0, , sasl, mtls] = ports
  await writeFile(config, properties(ports, folder) + changes)
  const tool = [...JAVA, classpath, 'kafka.tools.StorageTool']
  const id = (await run('java', [...tool, 'random-uuid'])).stdout.trim()
  await run('java', [...tool, 'format', '-t', id, '-c', config, ...(secure ? SCRAM_ARGUMENTS : [])])

  let keeper: ReturnType<typeof launch> | null = null
  function launch() {
    const log = openSync(join(folder, 'broker.log'), 'a')
    const child = spawn('sh', ['-c', KEEPER, 'sh', folder, ...JAVA, classpath, 'kafka.Kafka', config], {
      stdio: ['pipe', log, log],
    })
    closeSync(log)
    child.unref() // a test that forgets to stop the broker still ends
    return child
  }
  async function start(): Promise<void> {
    keeper = launch()
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!(await answers(port))) {
      if (Date.now() > deadline) {
        await kill()
        throw new Error(
          `broker does not answer on port ${port}: ${readFileSync(join(folder, 'broker.log'), 'utf8').slice(-2000)}`,
        )
      }
      await sleep(50)
    }
  }
  async function kill(): Promise<void> {
    const child = keeper
    if (child === null) return
    keeper = null
    child.ref()
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.stdin?.end('keep\n')
    await gone
  }
  async function stop(): Promise<void> {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  }
  await start()
  return {
    bootstrap: `127.0.0.1:${port}`,
    sasl: `127.0.0.1:${sasl}`,
    mtls: `127.0.0.1:${mtls}`,
    external: false,
    kill,
    start,
    stop,
  }
}
