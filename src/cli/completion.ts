import { Argument, Command } from 'commander'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

const HELP = `
Examples:
  $ examon-dec completion bash | sudo tee /usr/share/bash-completion/completions/examon-dec
  $ examon-dec completion zsh >> ~/.zshrc
  $ examon-dec completion fish > ~/.config/fish/completions/examon-dec.fish`

/** `completion SHELL`. */
export function completionCommand(): Command {
  return new Command('completion')
    .description(
      'Print a script that completes verbs, options and choices in a shell; files complete as usual.',
    )
    .addArgument(new Argument('<shell>', 'shell to complete in').choices(SHELLS))
    .addHelpText('after', HELP)
    .action(async (shell: Shell) => {
      const { wholeProgram } = await import('./main.ts')
      const program = await wholeProgram()
      process.stdout.write(shell === 'fish' ? fish(program) : shell === 'zsh' ? zsh(program) : bash(program))
    })
}

/** Every command below `command` by its words, such as `check config`; the program itself has none. */
function paths(command: Command, words: readonly string[] = []): [words: readonly string[], Command][] {
  return [[words, command], ...command.commands.flatMap((inner) => paths(inner, [...words, inner.name()]))]
}

/** What may follow a command: its own verbs, choices of its first argument, options. */
function candidates(command: Command): string[] {
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? [])
  const options = command.options.filter((o) => !o.hidden).flatMap((o) => o.long ?? [])
  return [...command.commands.map((c) => c.name()), ...choices, ...options, '--help']
}

/** Choices of options by option, of all commands that have it. */
function optionChoices(command: Command): [option: string, choices: readonly string[]][] {
  return command.options.flatMap((o) =>
    o.argChoices === undefined || o.long == null
      ? []
      : [[o.long, o.argChoices] as [string, readonly string[]]],
  )
}

function bash(program: Command): string {
  const cases = paths(program).flatMap(([words, command]) => [
    ...optionChoices(command).map(
      ([option, choices]) => `    '${words.join(' ')} ${option}') words='${choices.join(' ')}' ;;`,
    ),
  ])
  const commands = paths(program).map(
    ([words, command]) => `    '${words.join(' ')}') words='${candidates(command).join(' ')}' ;;`,
  )
  const verbs = paths(program)
    .filter(([words]) => words.length > 0)
    .map(([words]) => `'${words.join(' ')}'`)
    .join('|')
  return `# Completion of examon-dec for bash, made by: examon-dec completion bash
_examon_dec() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' i next
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${path:+$path }\${COMP_WORDS[i]}"
    case "$next" in
      ${verbs}) path=$next ;;
    esac
  done
  case "$path $prev" in
${cases.join('\n')}
    *' --'*) [[ $cur == -* ]] || return 0 ;;
  esac
  [[ -n $words ]] || case "$path" in
${commands.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _examon_dec examon-dec
`
}

/** zsh runs completions of bash. */
function zsh(program: Command): string {
  return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(program)}`
}

function fish(program: Command): string {
  const quoted = (text: string): string => `'${text.replace(/'/g, "\\'")}'`
  const lines = paths(program).flatMap(([words, command]) => {
    const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`)
    const inner = command.commands.map((c) => c.name())
    const none = inner.length === 0 ? [] : [`not __fish_seen_subcommand_from ${inner.join(' ')}`]
    const when = `-n ${quoted([...seen, ...none].join('; and ') || 'true')}`
    return [
      ...command.commands.map(
        (c) =>
          `complete -c examon-dec ${when} -f -a ${c.name()} -d ${quoted(c.summary() || c.description())}`,
      ),
      ...command.registeredArguments.flatMap((a) =>
        a.argChoices === undefined
          ? []
          : [`complete -c examon-dec ${when} -f -a ${quoted(a.argChoices.join(' '))}`],
      ),
      ...command.options
        .filter((o) => !o.hidden && o.long != null)
        .map((o) => {
          const value =
            o.argChoices === undefined
              ? o.required
                ? ' -r'
                : ''
              : ` -x -a ${quoted(o.argChoices.join(' '))}`
          return `complete -c examon-dec ${when} -l ${o.long?.slice(2)}${value} -d ${quoted(o.description)}`
        }),
    ]
  })
  return `# Completion of examon-dec for fish, made by: examon-dec completion fish\n${lines.join('\n')}\n`
}
