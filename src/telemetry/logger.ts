import pino from 'pino'

/**
 * The daemon's logger: one JSON object a line on stderr, so that stdout stays free for output. Writes are
 * synchronous: the last lines before an exit are the ones that matter.
 */
export function createLogger(level: pino.LevelWithSilent): pino.Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}

/**
 * An error as one line: its message and those of its causes. Only messages: errors of client libraries carry
 * whole option objects, and with them passwords.
 */
export function errorText(error: unknown): string {
  const parts: string[] = []
  for (let e: unknown = error; e !== undefined && e !== null && parts.length < 5; ) {
    const text = e instanceof Error ? e.message || e.name : String(e)
    if (!parts.includes(text)) parts.push(text)
    e = e instanceof AggregateError ? e.errors[0] : e instanceof Error ? e.cause : undefined
  }
  return parts.join(': ')
}
