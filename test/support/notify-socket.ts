/** The socket of a service manager, for what sd_notify(3) sends. Node has no datagram sockets of the Unix kind, Python has. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Closes the file descriptor that comes with BARRIER=1, which the sender waits for. */
const LISTENER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
print('listening', flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    for fd in fds: os.close(fd)
    for line in data.decode().splitlines(): print(line, flush=True)
`

/** Why a service manager can not be stood in for here, or false. */
export function noNotify(): string | false {
  for (const program of ['python3', 'systemd-notify'])
    if (spawnSync(program, ['--version']).error) return `NO ${program}: WHAT systemd IS TOLD IS NOT TESTED`
  return false
}

export interface NotifySocket {
  /** Every line so far, without barriers. */
  lines: string[]
  /** Resolves when a line passes. */
  until(test: (line: string) => boolean): Promise<string>
  close(): void
}

export async function openNotifySocket(path: string): Promise<NotifySocket> {
  const child: ChildProcess = spawn('python3', ['-c', LISTENER, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  if (child.stdout === null) throw new Error('no pipe')
  const reader = createInterface(child.stdout)
  reader.on('line', (line) => {
    if (!line.startsWith('BARRIER')) lines.push(line)
    for (const look of waiting) look()
  })
  const until = (test: (line: string) => boolean): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find(test)
        if (found === undefined) return
        waiting.delete(look)
        resolve(found)
      }
      waiting.add(look)
      look()
    })
  await until((line) => line === 'listening')
  lines.length = 0
  return { lines, until, close: () => child.kill() }
}
