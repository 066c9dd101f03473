/** How failures reach the person at the terminal. */
import { ConfigError } from '../config/problems.ts'

export const EXIT_OK = 0
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2
/** As a shell reports an interrupt: 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130

/** The command line itself is wrong: a bad value, options that exclude each other, an input that is not there. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UsageError'
  }
}

/** Exit code of a failure. */
export function exitCode(error: unknown): number {
  if (error instanceof ConfigError || error instanceof UsageError) return EXIT_USAGE
  if (error instanceof Error && error.name === 'AbortError') return EXIT_INTERRUPTED
  return EXIT_FAILED
}

/**
 * One clear message: what failed, then each deeper reason that says something new, indented. Findings in a
 * configuration stand at the beginning of their lines, where editors look for `file:line:column`. With `debug` the
 * stack follows.
 */
export function errorText(error: unknown, debug = false): string {
  const text = message(error)
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return debug ? `${text}\n${stack.slice(stack.indexOf('    at '))}` : text
}

function message(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  if (error instanceof Error && error.name === 'AbortError') return 'examon-dec: interrupted'
  const lines = reasons(error).filter(
    (reason, i, all) => !all.slice(0, i).some((said) => said.includes(reason)),
  )
  return lines.map((line, i) => (i === 0 ? `examon-dec: ${line}` : `  because: ${line}`)).join('\n')
}

/** Messages of an error, its causes and the errors that it gathers, outermost first. */
function reasons(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)]
  const gathered = error instanceof AggregateError ? (error.errors as unknown[]) : []
  const deeper = error.cause === undefined ? gathered : [...gathered, error.cause]
  return [error.message, ...deeper.flatMap(reasons)].filter((message) => message !== '')
}
