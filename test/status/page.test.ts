import assert from 'node:assert/strict'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import pino from 'pino'
import type { Browser, Page } from 'playwright-core'
import { startHttp } from '../../src/telemetry/http.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { noBrowser, openBrowser } from '../support/browser.ts'
import { alarmOf, feedMachine, flagOf, LAST_END_MS, nodeName } from './machine.ts'

const NEXT_MS = LAST_END_MS + 15 * 60_000

describe('status page', { skip: noBrowser() }, () => {
  let browser: Browser
  let closeBrowser = async () => {}
  before(async () => {
    ;({ browser, close: closeBrowser } = await openBrowser())
  })
  /** What failed tests leave open. */
  const servers: { close(): Promise<void> }[] = []
  after(async () => {
    await closeBrowser()
    for (const server of servers) await server.close().catch(() => {})
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
    servers.push(http)
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
    assert.equal(await page.locator('#now li').count(), 3)
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

  test('filters by state, rack, mode and name leave the rest faded, and stand in the address', async () => {
    const { page, complaints, close } = await open(machine(980))
    const bright = page.locator('.cell:not(.faded)')
    await page.locator('[data-state="anomalous"]').click()
    await page.locator('[data-state="pending"]').click()
    assert.equal(await bright.count(), 6)
    assert.equal(await page.locator('#matching').textContent(), '6 of 980')
    assert.equal(await page.locator('#detail tbody tr').count(), 6, 'the list follows the filter')
    await page.reload()
    await page.locator('#matching', { hasText: '6 of 980' }).waitFor()
    assert.equal(await page.locator('[data-state="pending"]').getAttribute('aria-pressed'), 'true')
    await page.locator('#clear').click()
    assert.equal(await bright.count(), 980)

    await page.locator('#rack').selectOption('r221')
    assert.equal(await bright.count(), 20)
    await page.locator('#mode').selectOption('2')
    assert.equal(await bright.count(), 5, 'nodes 2, 6, 10, 14 and 18 of the rack are in mode 2')
    await page.locator('#mode').selectOption('')
    await page.locator('#mode').focus()
    await page.keyboard.press('Escape')
    assert.equal(await bright.count(), 20, 'Escape leaves the field')
    await page.keyboard.press('Escape')
    assert.equal(await bright.count(), 980, 'and then shows all')

    await page.keyboard.press('/')
    await page.keyboard.type('21N14')
    assert.equal(await bright.count(), 1)
    await page.keyboard.press('Enter')
    await page.locator('#detail-title', { hasText: 'r221n14' }).waitFor()
    assert.deepEqual(complaints, [])
    await close()
  })

  test('the keyboard walks the alarms; a link leads to the dashboard of the node', async () => {
    const nodeLink = 'https://g.example.org/d/x?var-node={node}&var-rack={rack}&from={from}&to={to}'
    const telemetry = new Telemetry({ logger: pino({ level: 'silent' }), version: '0.1.0', nodeLink })
    telemetry.ready()
    feedMachine(telemetry, 980, 4)
    const { page, complaints, close } = await open(telemetry)
    const title = page.locator('#detail-title')
    for (const i of [433, 610, 611]) {
      await page.keyboard.press('n')
      await title.filter({ hasText: nodeName(i) }).waitFor()
    }
    await page.keyboard.press('p')
    await title.filter({ hasText: nodeName(610) }).waitFor()
    await page.locator('a.site').waitFor()
    assert.equal(
      await page.locator('a.site').getAttribute('href'),
      `https://g.example.org/d/x?var-node=r230n11&var-rack=r230&from=${LAST_END_MS - 3 * 15 * 60_000}&to=${LAST_END_MS}`,
    )
    await page.keyboard.press('?')
    assert.ok(await page.locator('#help').isVisible())
    await page.keyboard.press('Escape')
    assert.ok(!(await page.locator('#help').isVisible()))
    assert.deepEqual(complaints, [])
    await close()
  })

  test('the chart shows alarm spans, states and modes over time', async () => {
    const telemetry = machine(1)
    const node = 'r1n1'
    const states = [
      'learning',
      'normal',
      'normal',
      'pending',
      'anomalous',
      'anomalous',
      'silent',
      'normal',
    ] as const
    for (const [i, state] of states.entries()) {
      const flag = flagOf(node, LAST_END_MS + i * 900_000, state === 'silent' ? null : 0.4 + i / 5, state)
      telemetry.flag({ ...flag, mode: flag.score === null ? null : i < 3 ? 1 : 4 })
    }
    const { page, complaints, close } = await open(telemetry)
    await page.locator(`[data-node="${node}"]`).click()
    await page.locator('svg.chart').waitFor()
    assert.equal(await page.locator('.alarm-span').count(), 1)
    const titles = await page.locator('.band title').allTextContents()
    assert.deepEqual(
      titles.map((t) => t.replace(/, windows.*/, '')),
      ['learning', 'normal', 'pending', 'anomalous', 'silent', 'normal']
        .map((s) => `state ${s}`)
        .concat(['mode 1', 'mode 4', 'mode 4']),
    )
    assert.match((await page.locator('svg.chart').getAttribute('aria-label')) ?? '', /in alarm for 2 windows/)
    assert.deepEqual(complaints, [])
    await close()
  })

  test('15 nodes of a rack that go at once are one line, which opens to their names', async () => {
    const telemetry = machine(100)
    for (let i = 20; i < 35; i++) {
      const flag = flagOf(nodeName(i), NEXT_MS, 2, 'anomalous')
      telemetry.flag(flag)
      telemetry.alarm(alarmOf(flag, 'pending'))
    }
    const { page, complaints, close } = await open(telemetry)
    const now = page.locator('#now li')
    await now.first().waitFor()
    assert.equal(await now.count(), 1)
    assert.match((await now.textContent()) ?? '', /15 nodes of rack r201/)
    await now.locator('summary').click()
    await now.locator('.members button', { hasText: nodeName(22) }).click()
    await page.locator('#detail-title', { hasText: nodeName(22) }).waitFor()
    assert.match((await page.locator('#alarms li').first().textContent()) ?? '', /15 nodes of rack r201/)
    assert.deepEqual(complaints, [])
    await close()
  })

  test('the daemon itself: model, drops by reason, coverage, who is muted; old input is shown as old', async () => {
    const telemetry = machine(980)
    telemetry.dropped('late', 'r200n01', 41)
    const { page, complaints, close } = await open(telemetry)
    await page.locator('#daemon').click()
    const panel = page.locator('#detail')
    await panel.getByText('Muted: 11').waitFor()
    assert.match((await panel.locator('tr', { hasText: 'late' }).textContent()) ?? '', /41/)
    telemetry.dropped('late', 'r200n01', 1)
    await panel.locator('tr', { hasText: '42' }).waitFor()
    assert.match((await panel.textContent()) ?? '', /Coverage below 80 %: 9/)
    assert.equal(await page.locator('body.stale').count(), 0)
    telemetry.inputSilent(Date.now())
    await page.locator('body.stale').waitFor()
    assert.match((await page.locator('#notice').textContent()) ?? '', /what is shown is old/)
    assert.deepEqual(complaints, [])
    await close()
  })

  test('when all nodes are learning the page says so', async () => {
    const telemetry = machine(0)
    for (let i = 0; i < 5; i++) telemetry.flag(flagOf(nodeName(i), LAST_END_MS, 0.5, 'learning'))
    const { page, close } = await open(telemetry)
    await page.getByText('All nodes are learning').waitFor()
    await close()
  })

  test('9,408 nodes in 74 racks fit the width; a change of one is shown', async () => {
    const telemetry = machine(0)
    feedMachine(telemetry, 9408, 2, 128)
    const { page, complaints, close } = await open(telemetry)
    assert.equal(await page.locator('.cell').count(), 9408)
    const [scroll, client] = (await page.evaluate(
      '[document.getElementById("racks").scrollWidth, document.getElementById("racks").clientWidth]',
    )) as [number, number]
    assert.ok(scroll <= client, `${scroll} px of ${client}`)
    telemetry.flag(flagOf(nodeName(5000, 128), NEXT_MS, 4.5, 'anomalous'))
    await page.locator(`[data-node="${nodeName(5000, 128)}"].bin7.anomalous`).waitFor()
    await page.locator('[data-state="anomalous"]').click()
    await page.locator('#matching', { hasText: '4 of 9408' }).waitFor()
    assert.deepEqual(complaints, [])
    await close()
  })

  test('dark where the reader wants it: the text keeps its contrast', async () => {
    const { page, complaints, close } = await open(machine(980))
    const contrast = `(() => {
      const rgb = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number)
      const light = (c) => rgb(c).map((v) => v / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
      const ground = (e) => {
        const c = getComputedStyle(e).backgroundColor
        return c === 'rgba(0, 0, 0, 0)' ? ground(e.parentElement) : c
      }
      return ['h1', '.facts dt', '.facts dd', '.state', '.badge.anomalous', '.open', '.quiet', 'td', 'th'].map((s) => {
        const e = document.querySelector(s)
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x)
        return [s, (a + 0.05) / (b + 0.05)]
      })
    })()`
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor')
      assert.equal(ground, colorScheme === 'dark' ? 'rgb(14, 20, 26)' : 'rgb(245, 247, 249)')
      for (const [where, ratio] of (await page.evaluate(contrast)) as [string, number][])
        assert.ok(ratio >= 4.5, `${where} in ${colorScheme}: ${ratio.toFixed(2)}, WCAG asks 4.5`)
    }
    assert.deepEqual(complaints, [])
    await close()
  })

  test('behind a proxy that adds a path, all works and nothing leaves the path', async () => {
    const telemetry = machine(40)
    const http = await startHttp({ host: '127.0.0.1', port: 0, telemetry })
    const { proxy, url } = await startProxy(http.url, '/sites/m100')
    const context = await browser.newContext()
    const page = await context.newPage()
    const strays: string[] = []
    page.on('request', (r) => {
      if (!r.url().startsWith(url)) strays.push(r.url())
    })
    await page.goto(url)
    await page.locator('.link.up').waitFor()
    await page.locator(`[data-node="${nodeName(3)}"]`).click()
    await page.locator('svg.chart').waitFor()
    assert.deepEqual(strays, [])
    await context.close()
    await http.close()
    proxy.closeAllConnections()
    proxy.close()
  })
})

/** A reverse proxy that serves `target` under `prefix`, as a site's web server does. */
async function startProxy(target: string, prefix: string): Promise<{ proxy: Server; url: string }> {
  const { hostname, port } = new URL(target)
  const proxy = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/'
    if (!path.startsWith(`${prefix}/`)) {
      outgoing.writeHead(404).end()
      return
    }
    const inner = request(
      { hostname, port, method: incoming.method, path: path.slice(prefix.length), headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      },
    )
    inner.on('error', () => outgoing.destroy())
    outgoing.on('close', () => inner.destroy())
    incoming.pipe(inner)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return { proxy, url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${prefix}/` }
}
