import pino from 'pino'
import { isJournal, withPriority } from './journal.ts'

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
    isJournal() ? journal() : stderr(),
  )
}

function stderr(): ReturnType<typeof pino.destination> {
  return pino.destination({ dest: 2, sync: true })
}

/** pino tells the level of a line beside it to who asks for metadata. */
function journal(): pino.DestinationStream & { lastLevel: number } {
  const out = stderr()
  return {
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string) {
      out.write(withPriority(line, pino.levels.labels[this.lastLevel] ?? 'info'))
    },
  } as pino.DestinationStream & { lastLevel: number }
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
