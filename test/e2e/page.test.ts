/** From a fault to the eye: the daemon plays a node's samples, and its page in a real browser shows what came of them. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { FlagRecord } from '../../src/detect/records.ts'
import { noBrowser, openBrowser } from '../support/browser.ts'
import { writeFault } from '../support/fault.ts'
import { until } from '../support/kafka.ts'
import { startDaemon } from '../support/program.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

/** A window ends every .75 s. */
const SPEED = 1200
/** From the flag in the file to the eye, ms: one event a second, and a slow machine. A window of a real machine has 900,000. */
const SHOWN_MS = 15_000

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-page-'))
after(() => rmSync(folder, { recursive: true }))

test('a fault is on the page as soon as it is flagged, with the metric that tells, and its end too', {
  skip: noBrowser(),
}, async () => {
  const directory = join(folder, 'history')
  const victim = await writeFault(directory)
  const flags = join(folder, 'flags')
  const { browser, close } = await openBrowser()
  const daemon = await startDaemon(join(folder, 'config.yaml'), {
    model: REFERENCE_BUNDLE,
    source: { type: 'replay', history: [join(directory, '**/*.parquet')], speed: SPEED },
    sinks: [{ type: 'ndjson', flags, alarms: join(folder, 'alarms') }],
    http: { port: 0 },
  })
  try {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await page.goto(daemon.url)
    const cell = page.locator(`[data-node="${victim}"]`)
    const isFlagged = (): boolean =>
      existsSync(flags) &&
      readFileSync(flags, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as FlagRecord)
        .some(({ node, state }) => node === victim && state === 'anomalous')
    await until(isFlagged, 'the node is flagged')
    await page.locator(`[data-node="${victim}"].anomalous`).waitFor({ timeout: SHOWN_MS })

    await cell.click()
    await page.locator('svg.chart').waitFor()
    assert.match((await page.locator('.node table tbody').textContent()) ?? '', /fan/)
    await page.locator('#now li', { hasText: victim }).waitFor()

    await page.locator(`[data-node="${victim}"].anomalous`).waitFor({ state: 'detached', timeout: 60_000 })
    await page.locator('#now', { hasText: 'No node is in alarm.' }).waitFor()
    assert.deepEqual(complaints, [])
  } finally {
    await daemon.stop('SIGTERM')
    await close()
  }
})
