import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

const root = new URL('../', import.meta.url).pathname

interface PackageJson {
  version: string
  bin: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}
interface LockedPackage {
  version?: string
  resolved?: string
  link?: boolean
  optionalDependencies?: Record<string, string>
}

const readJson = <T>(path: string): T => JSON.parse(readFileSync(join(root, path), 'utf8')) as T
const manifest = readJson<PackageJson>('package.json')
const locked = readJson<{ packages: Record<string, LockedPackage> }>('package-lock.json').packages

test('direct dependencies have exact versions, and the lock file has the same', () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name)
    assert.equal(locked[`node_modules/${name}`]?.version, version, name)
  }
})

test('the lock file is whole: `npm ci` refuses one that lacks the packages of other platforms', () => {
  for (const [path, { optionalDependencies }] of Object.entries(locked)) {
    for (const name of Object.keys(optionalDependencies ?? {})) {
      assert.ok(locked[`node_modules/${name}`] ?? locked[`${path}/node_modules/${name}`], name)
    }
  }
})

test('the lock file names no registry', () => {
  for (const [path, { resolved }] of Object.entries(locked)) assert.equal(resolved, undefined, path)
})

describe('the package', () => {
  // A copy is packed, so that no other test sees a half-built dist.
  const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-package-'))
  const copy = join(scratch, 'copy')
  let files: string[] = []
  let archive = ''
  after(() => rmSync(scratch, { recursive: true }))
  before(() => {
    const kept = readdirSync(root).filter(
      (name) => !/^(\.git|node_modules|dist|demo-data|.*\.tgz)$/.test(name),
    )
    for (const name of kept) cpSync(join(root, name), join(copy, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const printed = execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', scratch], {
      cwd: copy,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    // What the build prints comes before npm's JSON.
    const [packed] = JSON.parse(printed.slice(printed.search(/^[[{]$/m))) as [
      { filename: string; files: { path: string }[] },
    ]
    archive = join(scratch, packed.filename)
    files = packed.files.map((file) => file.path).sort()
  })

  test('holds the program, configurations, deployment and the reference model, and nothing else', () => {
    const allowed = [
      /^(package\.json|README\.md|LICENSE|NOTICE|CHANGELOG\.md)$/,
      /^bin\/examon-dec\.js$/,
      /^dist\/.*\.js$/,
      /^dist\/status\/page\/[^/]+$/,
      /^config\/[^/]+\.yaml$/,
      /^config\/schemas\/[^/]+\.(schema\.json|avsc)$/,
      /^deploy\//,
      /^docs\/([a-z-]+\.md|examon-dec\.1)$/,
      /^models\/README\.md$/,
      /^models\/reference\//,
    ]
    assert.deepEqual(
      files.filter((path) => !allowed.some((pattern) => pattern.test(path))),
      [],
    )
  })

  test('lacks nothing of that', () => {
    const wanted = [
      'package.json',
      'LICENSE',
      'NOTICE',
      'README.md',
      'CHANGELOG.md',
      'models/README.md',
      ...Object.values(manifest.bin),
      ...list('config'),
      ...list('deploy'),
      ...list('docs').filter((path) => path.endsWith('.md')),
      'docs/examon-dec.1',
      ...list('models/reference'),
      ...list('src/status/page').map((path) => path.replace(/^src/, 'dist')),
      ...list('src')
        .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
        .map((path) => path.replace(/^src/, 'dist').replace(/\.ts$/, '.js')),
    ]
    assert.deepEqual(
      wanted.filter((path) => !files.includes(path)),
      [],
    )
  })

  test('runs once installed, from dist', () => {
    const modules = join(scratch, 'site', 'node_modules')
    const installed = join(modules, 'examon-dec')
    mkdirSync(installed, { recursive: true })
    execFileSync('tar', ['-xzf', archive, '-C', installed, '--strip-components=1'])
    for (const name of Object.keys(manifest.dependencies)) {
      mkdirSync(join(modules, name, '..'), { recursive: true })
      symlinkSync(join(root, 'node_modules', name), join(modules, name))
    }
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(installed, 'bin', 'examon-dec.js'), ...args], { encoding: 'utf8' })
    assert.equal(run('--version').stdout, `${manifest.version}\n`)
    const check = run('check', 'config', join(installed, 'config', 'demo.yaml'))
    assert.equal(check.status, 0, check.stderr)
    for (const verb of ['run', 'bootstrap', 'demo']) {
      const help = run('help', verb)
      assert.equal(help.status, 0, help.stderr)
    }
  })
})

/** Files below a folder of the repository, as paths from its root. */
function list(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
}
