/** What systemd is told: that the daemon has started, how it is, and that it is alive (sd_notify(3)). */
import { execFile } from 'node:child_process'
import type { Telemetry } from './telemetry.ts'

/** Node has no datagram sockets of the Unix kind, so systemd's own program tells. */
const NOTIFY = 'systemd-notify'
/** From one report of the state to the next where systemd watches no dog, ms. */
const REPORT_MS = 15_000
/** A message that systemd has not taken by then is given up, ms. */
const TIMEOUT_MS = 5000

/**
 * Tells systemd that the daemon has started, and goes on telling its state. With a watchdog (WATCHDOG_USEC) it reports at half of that
 * time that it is alive, unless the daemon stands still: then systemd kills and restarts it. Without NOTIFY_SOCKET
 * nothing is done. Returns what ends it.
 */
export function notifyServiceManager(
  telemetry: Telemetry,
  environment: NodeJS.ProcessEnv = process.env,
): { stop(): void } {
  if (environment.NOTIFY_SOCKET === undefined) return { stop: () => {} }
  let isTold = false
  const notify = (...words: string[]): void => {
    execFile(NOTIFY, words, { env: environment, timeout: TIMEOUT_MS }, (error) => {
      if (error === null || isTold) return
      isTold = true
      telemetry.serviceManagerFailed(error)
    })
  }
  const report = (...first: string[]): void => {
    const { ready, reason, stalled } = telemetry.status.daemon
    const alive = stalled === null && environment.WATCHDOG_USEC !== undefined ? ['WATCHDOG=1'] : []
    notify(...first, `--status=${stalled ?? (ready ? 'ready' : `not ready: ${reason}`)}`, ...alive)
  }
  report('--ready', `--pid=${process.pid}`)
  const watchdogMs = Number(environment.WATCHDOG_USEC) / 1000
  const timer = setInterval(report, watchdogMs > 0 ? watchdogMs / 2 : REPORT_MS)
  return {
    stop() {
      clearInterval(timer)
      notify('STOPPING=1')
    },
  }
}
