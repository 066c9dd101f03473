/** The command line: finds the verb, loads its module only, turns failures into messages and exit codes. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { isJournal, withPriority } from '../telemetry/journal.ts'
import { EXIT_OK, EXIT_USAGE, errorText, exitCode } from './errors.ts'
import { VERBS } from './verbs.ts'

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
  const program = bare()
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
    const text = `${errorText(error, debug)}\n`
    process.stderr.write(isJournal() ? withPriority(text, 'error') : text)
    return exitCode(error)
  }
}

function bare(): Command {
  return new Command('examon-dec')
    .description('Streaming anomaly detection for supercomputers')
    .version(version())
    .addHelpText('after', HELP)
}

/** The program with every verb loaded, for what is made of it: manual and completion. */
export async function wholeProgram(): Promise<Command> {
  const program = bare()
  for (const verb of Object.values(VERBS)) program.addCommand((await verb.load()).summary(verb.summary))
  return program
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
