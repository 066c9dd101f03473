/**
 * Part of `npm run test:walk`: the lines of the Dockerfile, run one by one on this machine, since a container can not be built everywhere;
 * the image's files, its program and its health check are then tried. What the base image holds is not.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'

const root = new URL('../../', import.meta.url).pathname
const dockerfile = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')
const ignored = readFileSync(join(root, 'deploy/Dockerfile.dockerignore'), 'utf8').trim().split('\n')
const instructions = dockerfile
  .replaceAll('\\\n', '')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1).trim()] as const)

/** More would be foreign libraries or development tools; it was 193 MB when written. */
const MAX_MEGABYTES = 250

describe('the image', { skip: process.platform === 'linux' ? false : 'the image is for Linux' }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-image-'))
  const folders: Record<string, string> = {}
  let image = ''
  let entry: string[] = []
  let health: string[] = []
  after(() => rmSync(scratch, { recursive: true }))

  /** Stages become folders; paths within them become paths below these. */
  before(() => {
    let workdir = '/'
    for (const [word, rest] of instructions) {
      if (word === 'FROM') {
        image = join(scratch, / AS (\w+)$/.exec(rest)?.[1] ?? 'image')
        folders[/ AS (\w+)$/.exec(rest)?.[1] ?? 'image'] = image
      } else if (word === 'WORKDIR') {
        workdir = rest
        mkdirSync(join(image, workdir), { recursive: true })
      } else if (word === 'RUN') {
        execFileSync('sh', ['-c', rest], {
          cwd: join(image, workdir),
          stdio: ['ignore', 'ignore', 'inherit'],
        })
      } else if (word === 'COPY') {
        const from = /^--from=(\w+) /.exec(rest)?.[1]
        const sources = rest.replace(/^--from=\w+ /, '').split(' ')
        const target = sources.pop() ?? ''
        for (const source of sources) copy(from, source, join(image, workdir, target), target.endsWith('/'))
      } else if (word === 'ENTRYPOINT') entry = JSON.parse(rest)
      else if (word === 'HEALTHCHECK') health = JSON.parse(/CMD\s+(\[.*\])$/.exec(rest)?.[1] ?? '[]')
    }
  })

  function copy(stage: string | undefined, source: string, target: string, isFolder: boolean): void {
    const from = join(stage === undefined ? root : (folders[stage] ?? ''), source)
    const names = source === '.' ? readdirSync(root).filter(isSent) : ['']
    for (const name of names)
      cpSync(join(from, name), join(target, isFolder ? source.split('/').at(-1)! : name), {
        recursive: true,
        // Links within node_modules/.bin stay what they are.
        verbatimSymlinks: true,
      })
  }
  /** Whether the builder is sent it. */
  const isSent = (name: string): boolean =>
    !ignored.some(
      (pattern) => name === pattern || (pattern.startsWith('*') && name.endsWith(pattern.slice(1))),
    )

  test('holds libraries of this system only, no development tools, and no sources', () => {
    const files = readdirSync(image, { recursive: true, encoding: 'utf8' })
    const foreign = files.filter((path) => /\.(dll|dylib)$|\/(win32|darwin)\//.test(path))
    assert.deepEqual(foreign, [])
    for (const name of ['typescript', '@biomejs/biome', 'node', 'playwright-core'])
      assert.ok(!files.includes(`opt/examon-dec/node_modules/${name}`), name)
    assert.ok(!files.some((path) => path.startsWith('opt/examon-dec/src')))
    const megabytes = Number(execFileSync('du', ['-sm', image], { encoding: 'utf8' }).split('\t')[0])
    console.log(`the image adds ${megabytes} MB to its base`)
    assert.ok(megabytes < MAX_MEGABYTES, `${megabytes} MB`)
  })

  test('runs, and its health check asks the daemon', async (t) => {
    const [, program = ''] = entry
    const config = join(scratch, 'config.yaml')
    const own = join(image, dirname(dirname(program)))
    writeFileSync(
      config,
      [
        `model: ${own}/models/reference`,
        'source: {type: simulator, nodes: 2}',
        `sinks: [{type: ndjson, flags: ${scratch}/flags.ndjson, alarms: ${scratch}/alarms.ndjson}]`,
        'http: {port: 0}',
      ].join('\n'),
    )
    const daemon = spawn(process.execPath, [join(image, program), 'run', '--config', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    t.after(() => daemon.kill('SIGKILL'))
    let url = ''
    for await (const chunk of daemon.stderr.setEncoding('utf8')) {
      url = /"event":"listening","url":"([^"]+)"/.exec(chunk)?.[1] ?? ''
      if (url !== '') break
    }
    assert.notEqual(url, '', 'the daemon ended')
    const [, ...args] = health
    const check = (address: string) =>
      spawnSync(process.execPath, args, { env: { HEALTH_URL: address } }).status
    assert.equal(check(new URL('/healthz', url).href), 0)
    assert.equal(check(new URL('/no-such-page', url).href), 1)
    daemon.kill('SIGTERM')
    await new Promise((resolve) => daemon.once('exit', resolve))
    assert.equal(check(new URL('/healthz', url).href), 1)
  })
})

test('both stages stand on the Node that the tests run on', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const bases = instructions.filter(([word]) => word === 'FROM').map(([, rest]) => rest.split(' ')[0])
  assert.deepEqual(new Set(bases), new Set([`node:${devDependencies.node}-bookworm-slim`]))
})
