/**
 * `npm run test:walk`: builds the Debian package, installs it on this machine, starts the service as its unit does, and
 * purges the package. Needs root, and a machine that does not have the package.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { noNotify, openNotifySocket } from '../support/notify-socket.ts'

const root = new URL('../../', import.meta.url).pathname
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 })
/** Debian keeps it out of a user's PATH. */
const runuser = '/usr/sbin/runuser'
const isInstalled = (): boolean => spawnSync('dpkg-query', ['-s', 'examon-dec']).status === 0
const missing =
  spawnSync('dpkg-deb', ['--version']).error || process.getuid?.() !== 0 ? 'needs Debian and root' : false

describe('the Debian package', { skip: missing }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-deb-'))
  let deb = ''
  before(() => {
    assert.ok(!isInstalled(), 'examon-dec is installed here: this test would purge it')
    execFileSync('sh', [join(root, 'deploy/deb/build.sh'), scratch], {
      env: { ...process.env, COMPRESSION: 'gzip' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    deb = join(scratch, readdirSync(scratch).find((name) => name.endsWith('.deb')) ?? '')
    run('dpkg', '--install', deb)
  })
  after(() => {
    if (isInstalled()) run('dpkg', '--purge', 'examon-dec')
    rmSync(scratch, { recursive: true })
  })

  test('holds the native libraries of this system only, and everything belongs to root', () => {
    const files = run('dpkg-deb', '--contents', deb).trim().split('\n')
    const native = files.filter((line) => /\.(node|dll|dylib)$|\.so[.\d]*$/.test(line))
    assert.notEqual(native.length, 0)
    assert.deepEqual(
      native.filter(
        (line) => !line.includes(`linux/${process.arch}/`) && !line.includes(`linux-${process.arch}`),
      ),
      [],
    )
    assert.deepEqual(
      files.filter((line) => !/^\S+ root\/root /.test(line)),
      [],
    )
  })

  test('makes user and folders; configuration and secrets are for root and the daemon alone', () => {
    const uid = Number(run('id', '-u', 'examon-dec'))
    const gid = Number(run('id', '-g', 'examon-dec'))
    const of = (path: string) => {
      const { mode, uid, gid } = statSync(path)
      return [(mode & 0o777).toString(8), uid, gid]
    }
    assert.deepEqual(of('/var/lib/examon-dec'), ['750', uid, gid])
    assert.deepEqual(of('/etc/examon-dec'), ['750', 0, gid])
    assert.deepEqual(of('/etc/examon-dec/config.yaml'), ['640', 0, gid])
    assert.deepEqual(of('/etc/examon-dec/environment'), ['640', 0, gid])
  })

  test('the configuration that it brings is valid, and the program runs with its own Node', () => {
    const environment = Object.fromEntries(
      [...readFileSync('/etc/examon-dec/environment', 'utf8').matchAll(/^(\w+)=(.*)$/gm)].map(([, k, v]) => [
        k,
        v,
      ]),
    )
    const check = ['/usr/bin/examon-dec', 'check', 'config', '/etc/examon-dec/config.yaml']
    const checked = execFileSync(runuser, ['-u', 'examon-dec', '--', ...check], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', ...environment },
    })
    assert.match(checked, /config\.yaml: valid/)
    assert.match(checked, /model bundle \/var\/lib\/examon-dec\/marconi100 \(not there yet\)/)
  })

  test('systemd finds nothing to say about the installed units', {
    skip: spawnSync('systemd-analyze', ['--version']).error ? 'no systemd-analyze' : false,
  }, () => {
    const units = ['examon-dec.service', 'examon-dec-retrain.service', 'examon-dec-retrain.timer']
    const paths = units.map((name) => `/usr/lib/systemd/system/${name}`)
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
      encoding: 'utf8',
    })
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' })
  })

  test('starts as its unit says, reports to systemd, and ends on SIGTERM', {
    skip: noNotify(),
  }, async (t) => {
    const unit = readFileSync('/usr/lib/systemd/system/examon-dec.service', 'utf8')
    const command = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? ''
    // A machine to read that needs no broker, and the model that the package brings.
    writeFileSync(
      '/etc/examon-dec/config.yaml',
      [
        'model: /usr/lib/examon-dec/models/reference',
        'source: {type: simulator, nodes: 4, speed: max}',
        'sinks: [{type: ndjson, flags: /var/lib/examon-dec/flags.ndjson, alarms: /var/lib/examon-dec/alarms.ndjson}]',
        'http: {port: 0}',
      ].join('\n'),
    )
    const path = join(tmpdir(), `examon-dec-notify-${process.pid}`)
    const socket = await openNotifySocket(path)
    t.after(() => {
      socket.close()
      rmSync(path)
    })
    const daemon = spawn(runuser, ['-u', 'examon-dec', '--', ...command.split(' ')], {
      cwd: '/var/lib/examon-dec',
      env: { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000000' },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const ended = once(daemon, 'exit')
    await Promise.race([
      socket.until((line) => line === 'READY=1'),
      ended.then(([status]) => assert.fail(`ended with status ${status} before it was ready`)),
    ])
    await socket.until((line) => line === 'WATCHDOG=1')
    const flags = '/var/lib/examon-dec/flags.ndjson'
    while (!existsSync(flags) || statSync(flags).size === 0)
      await new Promise((resolve) => setTimeout(resolve, 50))
    const main = socket.lines.find((line) => line.startsWith('MAINPID='))?.slice('MAINPID='.length)
    process.kill(Number(main), 'SIGTERM')
    await socket.until((line) => line === 'STOPPING=1')
    assert.deepEqual(await ended, [0, null])
  })

  test('purged, nothing is left', () => {
    run('dpkg', '--purge', 'examon-dec')
    for (const path of [
      '/usr/bin/examon-dec',
      '/usr/lib/examon-dec',
      '/etc/examon-dec',
      '/var/lib/examon-dec',
    ])
      assert.ok(!existsSync(path), path)
  })
})
