/** The command line: finds the verb, loads its module only, turns failures into messages and exit codes. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { EXIT_OK, EXIT_USAGE, errorText, exitCode } from './errors.ts'

interface Verb {
  summary: string
  load(): Promise<Command>
}

/** Every verb; the module of one is loaded when it is asked for, so that `--help` and `check` stay quick. */
export const VERBS: Readonly<Record<string, Verb>> = {
  demo: {
    summary: 'simulate, train, run and evaluate, all on this machine, in under two minutes',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  bootstrap: {
    summary: 'train a model on history and write its bundle',
    load: async () => (await import('./bootstrap.ts')).bootstrapCommand(),
  },
  tune: {
    summary: 'search hyper-parameters and write the bundle of the best model',
    load: async () => (await import('./tune.ts')).tuneCommand(),
  },
  run: {
    summary: 'the daemon: read live samples, publish flags, alarms and metrics',
    load: async () => (await import('./run.ts')).runCommand(),
  },
  bridge: {
    summary: 'bring samples from MQTT to Kafka, a node to a partition',
    load: async () => (await import('./bridge.ts')).bridgeCommand(),
  },
  evaluate: {
    summary: 'score labelled history and compare with baselines',
    load: async () => (await import('./evaluate.ts')).evaluateCommand(),
  },
  simulate: {
    summary: 'a simulated Marconi-100, as parquet history or as live messages',
    load: async () => (await import('./simulate.ts')).simulateCommand(),
  },
  replay: {
    summary: 'play history as live messages',
    load: async () => (await import('./replay.ts')).replayCommand(),
  },
  check: {
    summary: 'check a configuration file or a model bundle',
    load: async () => (await import('./check.ts')).checkCommand(),
  },
  inspect: {
    summary: 'print what a model bundle holds',
    load: async () => (await import('./inspect.ts')).inspectCommand(),
  },
  bench: {
    summary: 'measure the speed of training and encoding on this machine',
    load: async () => (await import('./bench.ts')).benchCommand(),
  },
}

const HELP = `
Examples:
  $ examon-dec demo
  $ examon-dec bootstrap --history 'history/*.parquet' --out models/mine
  $ examon-dec check config examon-dec.yaml
  $ examon-dec run --config examon-dec.yaml

Exit status: 0 fine, 1 failed, 2 wrong usage or configuration.`

/**
 * Runs one command line, without the program's name; resolves with the exit status. Results go to stdout, everything
 * else to stderr.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const debug = argv.includes('--debug')
  process.stdout.on('error', endWithReader)
  const program = new Command('examon-dec')
    .description('Streaming anomaly detection for supercomputers')
    .version(version())
    .addHelpText('after', HELP)
  try {
    const asked = verbOf(argv)
    for (const [name, verb] of Object.entries(VERBS)) {
      program.addCommand(name === asked ? await verb.load() : new Command(name).summary(verb.summary))
    }
    prepare(program)
    await program.parseAsync(argv, { from: 'user' })
    return EXIT_OK
  } catch (error) {
    // Commander has printed its own message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
    process.stderr.write(`${errorText(error, debug)}\n`)
    return exitCode(error)
  }
}

/** The verb that a command line asks for, also in `help VERB`. */
function verbOf(argv: readonly string[]): string | undefined {
  const words = argv.filter((word) => !word.startsWith('-'))
  return words[0] === 'help' ? words[1] : words[0]
}

/** What holds for each command: `--debug`, hints after usage errors, no exit from within. */
function prepare(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help shows the usage)')
  command.addOption(new Option('--debug', 'print stacks of errors').hideHelp(command.parent !== null))
  for (const inner of command.commands) prepare(inner)
}

/** A reader that has seen enough, such as `head`, ends the program without a complaint. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit(EXIT_OK)
}

function version(): string {
  // Two folders up from src/cli and from dist/cli alike.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
