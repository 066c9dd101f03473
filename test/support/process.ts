/** What a process has used, as Linux tells it, and what it has written. */
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Units of utime and stime in /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

export function cpuSeconds(pid: number): number {
  // The second field may hold spaces; times are fields 14 and 15.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export function residentMegabytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) / 1024
}

/** What a child with piped output has written so far; it grows. */
export function collected({ stdout, stderr }: ChildProcess): { stdout: string; stderr: string } {
  const written = { stdout: '', stderr: '' }
  stdout?.setEncoding('utf8').on('data', (text: string) => {
    written.stdout += text
  })
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    written.stderr += text
  })
  return written
}
