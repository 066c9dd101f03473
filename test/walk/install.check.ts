/**
 * `npm run test:walk`: the deployment page's ways to install, followed as written on this machine, and taken away again. Needs root on
 * Debian, and a machine that has neither the package nor any of its folders.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { documented } from '../support/documented.ts'
import { noNotify, openNotifySocket } from '../support/notify-socket.ts'
import { cloneInto, has, Shell, walkable } from '../support/walk.ts'

const PAGE = 'deploy/README.md'
const STATE = '/var/lib/examon-dec'
const HISTORY = '/data/examon'
/** Made by one way or the other. */
const TRACES = [
  '/usr/bin/examon-dec',
  '/usr/lib/examon-dec',
  '/opt/examon-dec',
  '/etc/examon-dec',
  STATE,
  '/etc/sysusers.d/examon-dec.conf',
  '/etc/tmpfiles.d/examon-dec.conf',
  ...['examon-dec.service', 'examon-dec-retrain.service', 'examon-dec-retrain.timer'].map(
    (unit) => `/etc/systemd/system/${unit}`,
  ),
]
/** Debian keeps it out of a user's PATH. */
const RUNUSER = '/usr/sbin/runuser'
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    stdio: ['ignore', 'pipe', 'pipe'],
  })

const found = [...TRACES, HISTORY].filter((path) => existsSync(path))
const skip =
  !has('dpkg-deb') || !has('systemd-sysusers') || process.getuid?.() !== 0
    ? 'needs root on Debian with systemd'
    : false
if (skip !== false) console.error(`SKIPPED, installation: ${skip}`)

describe('installation, as the deployment page tells it', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-install-'))
  chmodSync(scratch, 0o755)
  const clone = join(scratch, 'clone')
  const bin = join(scratch, 'bin')
  const path = [bin, join(clone, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  let shell: Shell
  before(async () => {
    assert.deepEqual(found, [], 'this walk would take away what is here')
    cloneInto(clone)
    mkdirSync(bin)
    // The Node of this test, where every user can start it.
    copyFileSync(process.execPath, join(bin, 'node'))
    // Root needs none, and a machine that is new may have none.
    if (!has('sudo')) {
      writeFileSync(
        join(bin, 'sudo'),
        `#!/bin/sh\nif [ "$1" = -u ]; then user=$2; shift 2; exec ${RUNUSER} -u "$user" -- "$@"; fi\nexec "$@"\n`,
      )
      chmodSync(join(bin, 'sudo'), 0o755)
    }
    // Quick to pack counts here, small does not.
    shell = new Shell(
      clone,
      { _amd64: `_${run('dpkg', '--print-architecture').trim()}` },
      { ...process.env, PATH: path, COMPRESSION: 'gzip', DEBIAN_FRONTEND: 'noninteractive' },
    )
    mkdirSync(HISTORY, { recursive: true })
    await shell.run(`npx examon-dec simulate --nodes 2 --days 2 --faults 0 --out ${scratch}/history`)
    for (const name of readdirSync(join(scratch, 'history')).filter((name) => name.endsWith('.parquet')))
      copyFileSync(join(scratch, 'history', name), join(HISTORY, name))
  })
  after(() => {
    rmSync(scratch, { recursive: true })
    if (found.length > 0) return // somebody's own
    shell.close()
    if (spawnSync('dpkg-query', ['-s', 'examon-dec']).status === 0) run('dpkg', '--purge', 'examon-dec')
    for (const path of [...TRACES, HISTORY]) rmSync(path, { recursive: true, force: true })
    if (existsSync('/data') && readdirSync('/data').length === 0) rmSync('/data', { recursive: true })
  })

  describe('with the Debian package', () => {
    test('every command', async () => {
      for (const command of walkable(documented(PAGE, 'With the Debian package'))) {
        const printed = await shell.run(command)
        if (command.includes('check config'))
          assert.match(printed, /config\.yaml: valid[\s\S]*\n {2}336 features/)
      }
    })

    test('holds native libraries of this system only, and everything belongs to root', () => {
      const deb = readdirSync(clone).find((name) => name.endsWith('.deb')) ?? ''
      const files = run('dpkg-deb', '--contents', join(clone, deb)).trim().split('\n')
      const native = files.filter((line) => /\.(node|dll|dylib)$|\.so[.\d]*$/.test(line))
      assert.notEqual(native.length, 0)
      const own = (line: string) =>
        line.includes(`linux/${process.arch}/`) || line.includes(`linux-${process.arch}`)
      assert.deepEqual(
        native.filter((line) => !own(line)),
        [],
      )
      assert.deepEqual(
        files.filter((line) => !/^\S+ root\/root /.test(line)),
        [],
      )
      console.log(`the package has ${Math.round(statSync(join(clone, deb)).size / 1e6)} MB with gzip`)
    })

    test('configuration and secrets are for root and the daemon alone', checkFolders)

    test('systemd finds nothing to say about the installed units', () => verify('/usr/lib/systemd/system'))

    test('man page and completion are there', () => {
      assert.ok(existsSync('/usr/share/man/man1/examon-dec.1.gz'))
      assert.match(
        readFileSync('/usr/share/bash-completion/completions/examon-dec', 'utf8'),
        /complete .*examon-dec/,
      )
    })

    test('starts as its unit says, reports to systemd, and ends on SIGTERM', { skip: noNotify() }, (t) =>
      startAsUnit(t, '/usr/lib/systemd/system/examon-dec.service'),
    )

    test('purged, nothing is left', () => {
      run('dpkg', '--purge', 'examon-dec')
      assert.deepEqual(
        TRACES.filter((path) => existsSync(path)),
        [],
      )
    })
  })

  describe('with npm', () => {
    test('every command', async () => {
      for (const command of walkable(documented(PAGE, 'With npm'))) await shell.run(command)
      // What the page bids the operator write.
      writeFileSync(
        '/etc/examon-dec/config.yaml',
        readFileSync('/etc/examon-dec/config.yaml', 'utf8')
          .replace('../models/marconi100', `${STATE}/marconi100`)
          .replace(/^catalogue: /m, 'catalogue: /opt/examon-dec/node_modules/examon-dec/config/'),
      )
    })

    test('configuration and secrets are for root and the daemon alone', checkFolders)

    test('training anew: every command, and what the timer starts', async () => {
      for (const command of walkable(documented(PAGE, 'To train anew every week'))) await shell.run(command)
      verify('/etc/systemd/system')
      const manifest = join(STATE, 'marconi100/manifest.json')
      const before = readFileSync(manifest, 'utf8')
      const { env, args } = unitCommand('/etc/systemd/system/examon-dec-retrain.service')
      run(RUNUSER, '-u', 'examon-dec', '--', 'env', ...env, `PATH=${bin}:/usr/bin:/bin`, ...args)
      assert.notEqual(readFileSync(manifest, 'utf8'), before)
    })

    test('starts as its unit says, reports to systemd, and ends on SIGTERM', { skip: noNotify() }, (t) =>
      startAsUnit(t, '/etc/systemd/system/examon-dec.service'),
    )
  })

  test('from the npm package in an empty folder, the demo runs', async () => {
    const empty = join(scratch, 'empty')
    mkdirSync(empty)
    const archive = readdirSync(clone).find((name) => name.endsWith('.tgz'))
    assert.ok(archive)
    const own = new Shell(empty, {}, { ...process.env, PATH: path })
    await own.run(`npm install --ignore-scripts ${join(clone, archive)}`)
    assert.match(await own.run('npx examon-dec demo --exit --port 0'), /\d+ of 10 faults found/)
  })

  function checkFolders(): void {
    const uid = Number(run('id', '-u', 'examon-dec'))
    const gid = Number(run('id', '-g', 'examon-dec'))
    const of = (path: string) => {
      const { mode, uid, gid } = statSync(path)
      return [(mode & 0o777).toString(8), uid, gid]
    }
    assert.deepEqual(of(STATE), ['750', uid, gid])
    assert.deepEqual(of('/etc/examon-dec'), ['750', 0, gid])
    assert.deepEqual(of('/etc/examon-dec/config.yaml'), ['640', 0, gid])
    assert.deepEqual(of('/etc/examon-dec/environment'), ['640', 0, gid])
  }

  function verify(folder: string): void {
    const units = ['examon-dec.service', 'examon-dec-retrain.service', 'examon-dec-retrain.timer']
    const paths = units.map((name) => join(folder, name))
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
      encoding: 'utf8',
    })
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
  }

  /** What a unit starts, with the variables of its files put in as systemd does. */
  function unitCommand(unit: string): { args: string[]; env: string[] } {
    const text = readFileSync(unit, 'utf8')
    const env = [...text.matchAll(/^EnvironmentFile=-?(.*)$/gm)].flatMap(([, file = '']) =>
      existsSync(file)
        ? readFileSync(file, 'utf8')
            .split('\n')
            .filter((line) => /^\w+=/.test(line))
        : [],
    )
    const values = new Map(
      env.map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]),
    )
    const command = /^ExecStart=(.*)$/m.exec(text)?.[1] ?? ''
    return {
      env,
      args: command
        .split(' ')
        .map((word) => word.replace(/^\$\{(\w+)\}$/, (_, name) => values.get(name) ?? '')),
    }
  }

  /** With a machine to read that needs no broker. */
  async function startAsUnit(t: TestContext, unit: string): Promise<void> {
    const flags = join(STATE, 'flags.ndjson')
    writeFileSync(
      '/etc/examon-dec/config.yaml',
      [
        `model: ${STATE}/marconi100`,
        'source: {type: simulator, nodes: 4, speed: max}',
        `sinks: [{type: ndjson, flags: ${flags}, alarms: ${STATE}/alarms.ndjson}]`,
        'http: {port: 0}',
      ].join('\n'),
    )
    const address = join(tmpdir(), `examon-dec-notify-${process.pid}`)
    const socket = await openNotifySocket(address)
    t.after(() => {
      socket.close()
      rmSync(address)
    })
    const { env, args } = unitCommand(unit)
    const daemon = spawn(RUNUSER, ['-u', 'examon-dec', '--', 'env', ...env, ...args], {
      cwd: STATE,
      env: { PATH: `${bin}:/usr/bin:/bin`, NOTIFY_SOCKET: address, WATCHDOG_USEC: '1000000' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let log = ''
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    const ended = once(daemon, 'close')
    await Promise.race([
      socket.until((line) => line === 'READY=1'),
      ended.then(([status]) => assert.fail(`ended with status ${status} before it was ready\n${log}`)),
    ])
    await socket.until((line) => line === 'WATCHDOG=1')
    while (!existsSync(flags) || statSync(flags).size === 0)
      await new Promise((resolve) => setTimeout(resolve, 50))
    const main = socket.lines.find((line) => line.startsWith('MAINPID='))?.slice('MAINPID='.length)
    process.kill(Number(main), 'SIGTERM')
    await socket.until((line) => line === 'STOPPING=1')
    assert.deepEqual(await ended, [0, null])
  }
})
