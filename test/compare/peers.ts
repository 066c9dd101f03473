import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const INSTALL_TIMEOUT_MS = 180_000

/** A temporary folder with packages that this project is compared with; they never enter the repository. */
export interface Peers {
  folder: string
  remove(): Promise<void>
}

/** Installs packages (`name@version`) by npm. Install scripts run for the packages of `allowScripts` only. */
export async function installPeers(packages: string[], allowScripts: string[] = []): Promise<Peers> {
  const folder = await mkdtemp(join(tmpdir(), 'examon-dec-peers-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  const allowed = Object.fromEntries(allowScripts.map((name) => [name, true]))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, allowScripts: allowed }))
  const flags = [
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    `--ignore-scripts=${allowScripts.length === 0}`,
  ]
  try {
    await run('npm', ['install', ...flags, ...packages], { cwd: folder, timeout: INSTALL_TIMEOUT_MS })
  } catch (error) {
    await remove()
    throw error
  }
  return { folder, remove }
}

/** Loads a package from such a folder. Its types are not installed here, so the caller says what it uses of it. */
export function loadPeer<T>(folder: string, name: string): T {
  return createRequire(join(folder, 'package.json'))(name) as T
}

/** Runs a script again in a process of its own, for a figure of memory that is its own, and reads the JSON that it prints. */
export async function measureApart<T>(script: string, args: string[]): Promise<T> {
  const { stdout } = await run(process.execPath, [script, ...args], { maxBuffer: 1 << 20 })
  const last = stdout.trim().split('\n').at(-1) ?? ''
  return JSON.parse(last) as T
}

/** Peak resident memory of this process, MB. */
export function peakMegabytes(): number {
  return process.resourceUsage().maxRSS / 1000 // Linux counts it in kB
}

/** CPU time of this process since an earlier `process.cpuUsage()`, seconds. */
export function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}
