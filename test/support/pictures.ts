/**
 * Makes the pictures of the status page: `node test/support/pictures.ts [ADDRESS [NODE]]`. With the address of a running
 * daemon, say of the demo, docs/page.png shows it with that node open; without, a machine of made-up scores is drawn
 * in the sizes of Marconi-100 and Frontier, light and dark. docs/page.png is of 980 simulated nodes: a model of two days
 * (`simulate --nodes 980 --days 2 --faults 0`, `bootstrap`), then `run` on the simulator from the third day on at full speed.
 */
import { mkdirSync } from 'node:fs'
import pino from 'pino'
import type { Browser } from 'playwright-core'
import { startHttp } from '../../src/telemetry/http.ts'
import { Telemetry } from '../../src/telemetry/telemetry.ts'
import { feedMachine, nodeName } from '../status/machine.ts'
import { openBrowser } from './browser.ts'

const DOCS = new URL('../../docs/', import.meta.url).pathname
const SIZE = { width: 1440, height: 900 }
/** For these windows the chart is drawn. */
const WINDOWS = 96

const [address, node] = process.argv.slice(2)
const { browser, close } = await openBrowser()
if (address !== undefined) await shoot(browser, address, hash(node), 'light', `${DOCS}page.png`)
else {
  mkdirSync(`${DOCS}pictures`, { recursive: true })
  await machine(browser, 980, 20, 'light', nodeName(433), 'marconi')
  await machine(browser, 980, 20, 'dark', nodeName(433), 'marconi-dark')
  await machine(browser, 9408, 128, 'light', undefined, 'frontier')
}
await close()

function hash(name: string | undefined): string {
  return name === undefined ? '' : `#node=${encodeURIComponent(name)}`
}

async function machine(
  browser: Browser,
  nodes: number,
  perRack: number,
  scheme: 'light' | 'dark',
  open: string | undefined,
  name: string,
): Promise<void> {
  const telemetry = new Telemetry({
    logger: pino({ level: 'silent' }),
    version: '0.1.0',
    nodeLink: 'https://grafana.example.org/d/examon-dec-node?var-node={node}&from={from}&to={to}',
  })
  telemetry.ready()
  feedMachine(telemetry, nodes, WINDOWS, perRack)
  const http = await startHttp({ host: '127.0.0.1', port: 0, telemetry })
  await shoot(browser, http.url, hash(open), scheme, `${DOCS}pictures/${name}.png`)
  await http.close()
}

async function shoot(browser: Browser, url: string, at: string, colorScheme: 'light' | 'dark', path: string) {
  const context = await browser.newContext({ viewport: SIZE, colorScheme })
  const page = await context.newPage()
  await page.goto(`${url}${at}`)
  await page.locator('.link.up').waitFor()
  await page.locator('.cell').first().waitFor()
  if (at !== '') await page.locator('svg.chart').waitFor()
  await page.screenshot({ path })
  await context.close()
  console.log(path)
}
