import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { writeEvaluationReport } from '../../../src/evaluate/pictures/report.ts'
import { openBundle } from '../../../src/model/bundle.ts'
import { REFERENCE_BUNDLE } from '../../support/reference.ts'
import { makeEvaluation, type Shape } from './detail.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const found = existsSync(CHROMIUM)
const ARGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']

const scratch = mkdtempSync(join(tmpdir(), 'examon-dec-report-'))
after(() => rmSync(scratch, { recursive: true, force: true }))
const silent = { step: () => ({ advance() {}, finish() {} }) }
const HOSTILE = `r1"><script>alert(1)</script><img src=http://127.0.0.1:9/x>`
const bundle = openBundle(REFERENCE_BUNDLE)
const { modes, network } = bundle.manifest
const USUAL: Shape = {
  nodes: ['n1', HOSTILE, 'n3'],
  windows: 600,
  event: [100, 140],
  codeSize: network.widths[network.codeLayer] ?? 0,
  modes: modes.length,
}

async function report(
  name: string,
  shape: Shape,
): Promise<{ file: string; html: string; pictures: string[] }> {
  const file = join(scratch, `${name}.html`)
  const pictures = join(scratch, name)
  const made = await makeEvaluation(shape)
  await writeEvaluationReport(bundle, made, { report: file, pictures, progress: silent })
  return { file, html: readFileSync(file, 'utf8'), pictures: readdirSync(pictures).sort() }
}

describe('evaluation report', () => {
  test('holds every picture, every detector and no reference to anything outside', async () => {
    const { html, pictures } = await report('usual', USUAL)
    assert.deepEqual(pictures, [
      'autoencoder-loss.svg',
      'dec-loss.svg',
      'precision-recall.svg',
      'residuals.svg',
      'roc.svg',
      'score-over-time.svg',
      'tsne-label.svg',
      'tsne-mode.svg',
      'tsne-score.svg',
      'umap-label.svg',
      'umap-mode.svg',
      'umap-score.svg',
    ])
    assert.equal(html.match(/<figure/g)?.length, pictures.length)
    assert.doesNotMatch(html, /<script|<img|<link|@import|url\((?!#)|\b(?:src|href)="(?!#)/)
    for (const text of [
      'kNN distance',
      'constant score',
      `${bundle.version}`,
      '95 %:',
      'r1&quot;&gt;&lt;script&gt;',
    ]) {
      assert.ok(html.includes(text), text)
    }
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    assert.equal(new Set(ids).size, ids.length, 'no identifier twice')
    for (const [, id] of html.matchAll(/(?:url\(|href=")#([^")]+)/g)) assert.ok(ids.includes(id), id)
  })

  test('says why there is no ROC without labels', async () => {
    const { html, pictures } = await report('unlabelled', { ...USUAL, event: null })
    assert.ok(!pictures.includes('roc.svg') && !pictures.includes('tsne-label.svg'))
    for (const text of ['carries no labels', 'There is no ROC', 'No window was flagged']) {
      assert.ok(html.includes(text), text)
    }
  })

  test('one node, few windows', async () => {
    const { html, pictures } = await report('few', { ...USUAL, nodes: ['only'], windows: 8, event: [2, 3] })
    assert.ok(html.includes('too few for a projection'))
    assert.ok(pictures.includes('roc.svg'))
    assert.ok(html.includes('1 of 1 node shown'))
  })

  test('980 nodes stay below 5 MB', async () => {
    const nodes = Array.from({ length: 980 }, (_, i) => `r${i}`)
    const { file, html } = await report('many', { ...USUAL, nodes, windows: 40, event: [10, 20] })
    assert.ok(statSync(file).size < 5e6)
    assert.ok(html.includes('12 of 980 nodes shown'))
  })
})

describe('in a browser', {
  skip: found ? false : `NO CHROMIUM at ${CHROMIUM}: THE REPORT IS NOT OPENED`,
}, () => {
  let browser: Browser
  before(async () => {
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ARGS,
      env: { ...process.env, HOME: scratch },
    })
  })
  after(() => browser?.close())

  test('the page opens without a complaint or a request, fits a phone, and turns dark', async () => {
    const { file } = await report('shown', USUAL)
    const page = await browser.newPage({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (request.url() !== pathToFileURL(file).href) complaints.push(`request to ${request.url()}`)
    })
    await page.goto(pathToFileURL(file).href)
    assert.equal(await page.locator('figure svg[role=img]').count(), 12)
    const text = page.locator('#training svg text', { hasText: 'mean squared error a feature' })
    const colour = 'getComputedStyle(document.querySelector("#training svg text")).fill'
    assert.equal(await text.count(), 1)
    const dark = await page.evaluate(colour)
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, 'nothing sticks out')
    await page.emulateMedia({ media: 'print' })
    assert.notEqual(await page.evaluate(colour), dark, 'printed it is light')
    assert.deepEqual(complaints, [])
    await page.close()
  })
})

test('what draws is not loaded by the daemon or for help', () => {
  const script = `
    const { registerHooks } = await import('node:module')
    const seen = []
    registerHooks({ resolve(name, context, next) { seen.push(name); return next(name, context) } })
    await import('./src/cli/main.ts').then(({ main }) => main(['--help']))
    for (const verb of ['run', 'bootstrap', 'evaluate']) await import('./src/cli/' + verb + '.ts')
    process.stderr.write(JSON.stringify(seen.filter((name) => /^vega|druid|pictures/.test(name))))`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  })
  assert.equal(stderr, '[]')
})
