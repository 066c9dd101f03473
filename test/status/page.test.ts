import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import pino from 'pino'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import { startHttp } from '../../src/telemetry/http.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { alarmOf, feedMachine, flagOf, LAST_END_MS, nodeName } from './machine.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const found = existsSync(CHROMIUM)
if (!found && process.env.CI === 'true')
  throw new Error(`no Chromium at ${CHROMIUM}: the status page is untested`)

const NEXT_MS = LAST_END_MS + 15 * 60_000

describe('status page', {
  skip: found ? false : `NO CHROMIUM at ${CHROMIUM}: THE STATUS PAGE IS NOT TESTED`,
}, () => {
  let browser: Browser
  let home: string
  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'page-'))
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ARGS,
      env: { ...process.env, HOME: home },
    })
  })
  after(async () => {
    await browser?.close()
    rmSync(home, { recursive: true, force: true })
  })

  /** A page at a server of its own, and everything that the browser complained of. */
  async function open(telemetry: Telemetry): Promise<{
    page: Page
    complaints: string[]
    port: number
    close(): Promise<void>
    stop(): Promise<void>
  }> {
    const http = await startHttp({ host: '127.0.0.1', port: 0, telemetry })
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (m) => {
      if (m.type() === 'error' || m.type() === 'warning') complaints.push(m.text())
    })
    page.on('pageerror', (e) => complaints.push(e.message))
    page.on('request', (r) => {
      if (!r.url().startsWith(http.url)) complaints.push(`request to ${r.url()}`)
    })
    await page.goto(http.url)
    await page.locator('.link.up').waitFor()
    const close = async () => {
      await context.close()
      await http.close()
    }
    return { page, complaints, port: Number(new URL(http.url).port), close, stop: http.close }
  }

  function machine(nodes: number): Telemetry {
    const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '0.1.0' })
    telemetry.ready()
    if (nodes > 0) feedMachine(telemetry, nodes, 40)
    return telemetry
  }

  test('980 nodes fit a laptop; the panel opens, follows new flags and closes by keyboard', async () => {
    const telemetry = machine(980)
    const { page, complaints, close } = await open(telemetry)
    assert.equal(await page.locator('.cell').count(), 980)
    assert.equal(await page.locator('.rack').count(), 49)
    const scroll = await page.evaluate(
      '[document.documentElement.scrollHeight, document.documentElement.scrollWidth]',
    )
    assert.deepEqual(scroll, [900, 1440], 'nothing to scroll at 1440 x 900')

    const hot = page.locator(`[data-node="${nodeName(433)}"]`)
    assert.ok(await hot.isVisible())
    assert.match((await hot.getAttribute('class')) ?? '', /\bbin6\b.*\banomalous\b/)
    assert.equal(await hot.locator('.glyph').textContent(), '▲')
    assert.match((await page.locator('#states .anomalous').textContent()) ?? '', /3 anomalous/)
    assert.ok((await page.locator('#alarms li').count()) > 10)

    await hot.click()
    await page.locator('svg.chart').waitFor()
    assert.equal(await page.locator('#detail-title').textContent(), nodeName(433))
    assert.equal(await page.locator('.big').textContent(), '3.40')
    assert.equal(await page.locator('svg.chart .point').count(), 40)
    assert.equal(await page.locator('.node table tbody tr').count(), 5)
    assert.match(
      (await page.locator('.node table tbody tr').first().textContent()) ?? '',
      /avg:gpu0_core_temp/,
    )

    const next = flagOf(nodeName(433), NEXT_MS, 5.25, 'anomalous')
    telemetry.flag(next)
    await page.locator('.big', { hasText: '5.25' }).waitFor()
    await page.locator(`[data-node="${nodeName(433)}"].bin7`).waitFor()

    const other = flagOf(nodeName(0), NEXT_MS, 2.1, 'anomalous')
    telemetry.flag(other)
    telemetry.alarm(alarmOf(other, 'pending'))
    await page.locator(`[data-node="${nodeName(0)}"].bin6.anomalous`).waitFor()
    await page
      .locator('#alarms li', { hasText: nodeName(0) })
      .first()
      .waitFor()
    assert.match((await page.locator('#alarms li').first().textContent()) ?? '', new RegExp(nodeName(0)))

    await page.keyboard.press('Escape')
    await page.locator('#detail-title', { hasText: 'Highest scores' }).waitFor()
    assert.equal(await page.evaluate('document.activeElement.dataset.node'), nodeName(433))
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await page.locator('#detail-title', { hasText: nodeName(453) }).waitFor()

    telemetry.nodeForgotten(nodeName(979))
    await page.locator(`[data-node="${nodeName(979)}"]`).waitFor({ state: 'detached' })
    assert.deepEqual(complaints, [])
    await close()
  })

  test('says that no window has closed, and fills when one does', async () => {
    const telemetry = machine(0)
    const { page, complaints, close } = await open(telemetry)
    await page.getByText('No window closed yet').waitFor()
    telemetry.flag(flagOf('node "<b>7', LAST_END_MS, 0.4, 'normal', null))
    await page.locator('.cell').waitFor()
    assert.equal(await page.getByText('No window closed yet').isVisible(), false)
    assert.equal(await page.locator('.cell .name').textContent(), 'node "<b>7')
    await page.locator('.cell').click()
    await page.locator('svg.chart').waitFor()
    await page.reload()
    await page.locator('svg.chart').waitFor()
    assert.deepEqual(complaints, [])
    await close()
  })

  test('tells that the daemon is gone, and goes on with the next one', async () => {
    const { page, port, close, stop } = await open(machine(20))
    await stop()
    await page.locator('.link.down').waitFor()
    assert.match(
      (await page.locator('#notice').textContent()) ?? '',
      /can not be reached.*What is shown is from/,
    )
    assert.equal(await page.locator('.cell').count(), 20, 'what was known stays')

    const next = new Telemetry({ logger: pino({ level: 'silent' }), version: '0.1.0' })
    next.ready()
    next.flag(flagOf(nodeName(3), NEXT_MS, 1.7, 'anomalous'))
    const http = await startHttp({ host: '127.0.0.1', port, telemetry: next })
    await page.locator('.link.up').waitFor()
    await page.locator('#notice').waitFor({ state: 'hidden' })
    assert.equal(await page.locator('.cell').count(), 1, 'the new daemon knows one node')
    await close()
    await http.close()
  })
})
