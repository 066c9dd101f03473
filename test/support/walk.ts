/** A reader who follows a page: a clone of his own, a shell, and the commands as they are written. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type Documented, whyNotWalked } from './documented.ts'
import { collected } from './process.ts'

const root = join(import.meta.dirname, '../..')
const LEFT_OUT = /^(\.git|node_modules|dist|demo-data|.*\.(tgz|deb))$/

/** What a clone holds, with the dependencies that are installed here. */
export function cloneInto(folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(root).filter((name) => !LEFT_OUT.test(name)))
    cpSync(join(root, name), join(folder, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
}

export interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

/** A shell that keeps what `export` sets. `replaced` are the few words that differ here: addresses, versions. */
export class Shell {
  readonly #cwd: string
  readonly #replaced: ReadonlyMap<string, string>
  readonly #env: NodeJS.ProcessEnv
  readonly #running = new Set<ChildProcess>()

  constructor(cwd: string, replaced: Record<string, string> = {}, env: NodeJS.ProcessEnv = process.env) {
    this.#cwd = cwd
    this.#replaced = new Map(Object.entries(replaced))
    // The runner's own variables would make a test of every Node that is started.
    const { NODE_TEST_CONTEXT: _, ...rest } = env
    this.#env = rest
  }

  /** As it is run here. */
  text(command: string): string {
    let text = command
    for (const [from, to] of this.#replaced) text = text.replaceAll(from, to)
    return text
  }

  /** Starts it in a process group of its own. */
  start(command: string): { child: ChildProcess; outcome: Promise<Outcome>; output(): string } {
    const child = spawn('bash', ['-c', this.text(command)], {
      cwd: this.#cwd,
      env: this.#env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#running.add(child)
    const written = collected(child)
    const outcome = new Promise<Outcome>((resolve) => {
      child.once('close', (status) => {
        this.#running.delete(child)
        resolve({ status, ...written })
      })
    })
    return { child, outcome, output: () => written.stdout + written.stderr }
  }

  /** Runs it to its end, which must be a good one. Returns what it printed. */
  async run(command: string): Promise<string> {
    const assignment = /^export (\w+)=(\S+)$/.exec(command)
    if (assignment !== null) {
      this.#env[assignment[1] ?? ''] = this.text(assignment[2] ?? '')
      return ''
    }
    const { status, stdout, stderr } = await this.start(command).outcome
    if (status !== 0) throw new Error(`${command}\nended with ${status}\n${stdout}${stderr}`)
    return stdout
  }

  /** Ends what still runs, with its children. */
  close(): void {
    for (const child of this.#running) signal(child, 'SIGKILL')
  }
}

/** To the process and all its children. */
export function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name)
}

/** Commands of a section without those that no walk runs. */
export function walkable(commands: readonly Documented[]): string[] {
  return commands.map((one) => one.command).filter((command) => whyNotWalked(command) === undefined)
}

/** Whether a program can be started here. */
export function has(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
