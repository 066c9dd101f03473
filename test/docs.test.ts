/** What the pages name is there: metrics, keys of the configuration, messages, programs, files they link to. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { createMetrics } from '../src/telemetry/metrics.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const pages = [
  'README.md',
  'deploy/README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((path) => path.endsWith('.md'))
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => read(join('src', path)))
  .join('\n')
const rules = read('deploy/prometheus/examon-dec.rules.yml')
const reference = read('docs/configuration.md')
/** Sections of the configuration whose keys pages write in full. */
const SECTIONS = 'source|windows|detect|http|bridge|training|tune'

for (const page of pages) {
  const text = read(page)

  test(`${page}: links lead somewhere`, () => {
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      assert.ok(existsSync(join(root, dirname(page), target)), target)
    }
  })

  test(`${page}: metrics, keys and programs exist`, async () => {
    const metrics = (await createMetrics('x').registry.getMetricsAsJSON()).map(({ name }) => name)
    for (const [name] of text.matchAll(/\bexamon_dec_\w+[a-z]/g)) {
      const base = name.replace(/_(bucket|sum|count)$/, '')
      assert.ok(metrics.includes(name) || metrics.includes(base) || rules.includes(name), name)
    }
    for (const [, section = '', key = ''] of text.matchAll(new RegExp(`\`(${SECTIONS})\\.([a-z_]+)`, 'g'))) {
      const body = reference.slice(reference.indexOf(`\n## ${section}\n`))
      const isKey = body.includes(`\`${key}\``) || body.includes(`## ${section}.${key}`) || key === 'type'
      assert.ok(isKey, `${section}.${key}`)
    }
    for (const [, program = ''] of text.matchAll(/node ((?:test|bin)\/[\w/.-]+\.(?:ts|js))/g)) {
      assert.ok(existsSync(join(root, program)), program)
    }
  })
}

test('docs/troubleshooting.md: the messages are those of the program', () => {
  const [, table = ''] = /## It does not start\n([\s\S]+?)\n## /.exec(read('docs/troubleshooting.md')) ?? []
  const messages = [...table.matchAll(/^\| `([^`…]+?)…?` \|/gm)].map(([, message = '']) => message.trim())
  assert.ok(messages.length >= 7)
  for (const message of messages) assert.ok(sources.includes(message), message)
})
