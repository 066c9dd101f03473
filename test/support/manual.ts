/** The manual page, made of the command line's own help (man(7) macros). */
import type { Command, Option } from 'commander'
import { wholeProgram } from '../../src/cli/main.ts'

/** Text of docs/examon-dec.1. */
export async function manual(): Promise<string> {
  const program = await wholeProgram()
  const version = program.version() ?? ''
  return `${[
    `.TH EXAMON-DEC 1 "" "examon-dec ${version}" "User Commands"`,
    '.SH NAME',
    `examon-dec \\- ${plain(program.description().replace(/^S/, 's'))}`,
    '.SH SYNOPSIS',
    '.B examon-dec',
    '.I verb',
    '.RI [ option ...]',
    '.SH DESCRIPTION',
    plain(
      'Trains Deep Embedded Clustering on the parquet history of a supercomputer, and scores its live telemetry from Kafka or MQTT: flags, alarms, Prometheus metrics and a status page.',
    ),
    '.SH VERBS',
    ...program.commands.flatMap((command) => section(command, [])),
    '.SH EXAMPLES',
    ...examples(afterHelp(program)),
    '.SH FILES',
    '.TP',
    '.I /etc/examon-dec/config.yaml',
    'Configuration of the packaged service.',
    '.TP',
    '.I /var/lib/examon-dec',
    'Model bundles and record files of the packaged service.',
    '.SH EXIT STATUS',
    '0 fine, 1 failed, 2 wrong usage or configuration.',
    '.SH SEE ALSO',
    'docs/configuration.md, docs/metrics.md and docs/runbook.md of the package.',
  ].join('\n')}\n`
}

function section(command: Command, before: readonly string[]): string[] {
  const words = [...before, command.name()]
  const own =
    command.commands.length > 0
      ? []
      : [
          `.SS ${plain([...words, ...command.registeredArguments.map((a) => (a.required ? `<${a.name()}>` : `[${a.name()}]`))].join(' '))}`,
          plain(command.description()),
          ...command.options.filter((option) => !option.hidden).flatMap(entry),
          ...prose(afterHelp(command)),
          ...examples(afterHelp(command)),
        ]
  return [...own, ...command.commands.flatMap((inner) => section(inner, words))]
}

/** As `--help` has it: what may stand there and what is usual, in brackets. */
function entry(option: Option): string[] {
  const value = option.defaultValue
  const notes = [
    option.argChoices === undefined ? '' : `choices: ${option.argChoices.join(', ')}`,
    value === undefined || value === false ? '' : `default: ${option.defaultValueDescription ?? value}`,
  ].filter((note) => note !== '')
  const more = notes.length === 0 ? '' : ` (${notes.join('; ')})`
  return ['.TP', `.B ${plain(option.flags)}`, plain(`${option.description}${more}`)]
}

/** What a command says after its options. */
function afterHelp(command: Command): string {
  const parts: string[] = []
  command.configureOutput({ writeOut: (text) => parts.push(text) })
  command.outputHelp()
  return parts.join('').slice(command.helpInformation().length)
}

/** The paragraphs above `Examples:`. */
function prose(text: string): string[] {
  const [before = ''] = text.split('Examples:')
  return before
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== '')
    .flatMap((paragraph) => ['.PP', plain(paragraph)])
}

/** The lines below `Examples:`. */
function examples(text: string): string[] {
  const [, block = ''] = /Examples:\n((?: {2}.*\n?)+)/.exec(text) ?? []
  const lines = block.split('\n').filter((line) => line.trim() !== '')
  return lines.length === 0
    ? []
    : ['.PP', '.nf', ...lines.map((line) => plain(line.replace(/^ {2}/, ''))), '.fi']
}

/** Characters that the macros would read are escaped. */
function plain(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}
