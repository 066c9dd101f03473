/** From a fault to the eye: the daemon plays a node's samples, and its page in a real browser shows what came of them. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { FlagRecord } from '../../src/detect/records.ts'
import { noBrowser, openBrowser } from '../support/browser.ts'
import { writeFault } from '../support/fault.ts'
import { startDaemon } from '../support/program.ts'
import { REFERENCE_BUNDLE } from '../support/reference.ts'

/** A window ends every .75 s. */
const SPEED = 1200
const WINDOW_MS = 900_000

const folder = mkdtempSync(join(tmpdir(), 'examon-dec-page-'))
after(() => rmSync(folder, { recursive: true }))

test('a fault is on the page within a window, with the metric that tells, and its end too', {
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
    const url = /"event":"listening","url":"([^"]+)/.exec(daemon.log())?.[1] ?? ''
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await page.goto(url)
    const cell = page.locator(`[data-node="${victim}"]`)
    const written = (): FlagRecord[] =>
      readFileSync(flags, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as FlagRecord)
        .filter(({ node }) => node === victim)
    await page.locator(`[data-node="${victim}"].anomalous`).waitFor({ timeout: 60_000 })
    const own = written()
    const first = own.find(({ state }) => state === 'anomalous')
    const last = own.at(-1)
    assert.ok(first !== undefined && last !== undefined)
    const late = Date.parse(last.window_end) - Date.parse(first.window_end)
    assert.ok(late <= WINDOW_MS, `shown ${late / 1000} s of the machine's time after the flag`)

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
