/** What systemd's journal is told beside a line: how severe it is (sd-daemon(3)), so that `journalctl -p warning` finds it. */
import { fstatSync } from 'node:fs'

const STDERR = 2
/** Syslog's levels by those of the log. */
const PRIORITIES: Record<string, number> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 }

/** Whether stderr is the journal: it is what systemd says it is, and was not sent elsewhere since. */
export function isJournal(environment: NodeJS.ProcessEnv = process.env): boolean {
  const stream = environment.JOURNAL_STREAM
  if (stream === undefined) return false
  const { dev, ino } = fstatSync(STDERR, { bigint: true })
  return stream === `${dev}:${ino}`
}

/** The text with the prefix of that level before each line. */
export function withPriority(text: string, level: string): string {
  return text.replace(/^(?=.)/gm, `<${PRIORITIES[level] ?? PRIORITIES.info}>`)
}
