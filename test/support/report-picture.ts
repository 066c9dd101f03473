/**
 * Takes the picture of an evaluation page for the documents, its first screens:
 * `node test/support/report-picture.ts evaluation.html docs/report.png`.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'

const HEIGHT = 1490
const [page = 'evaluation.html', file = 'docs/report.png'] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
})
try {
  const tab = await browser.newPage({ viewport: { width: 1280, height: HEIGHT }, colorScheme: 'light' })
  await tab.goto(pathToFileURL(resolve(page)).href)
  await tab.screenshot({ path: file })
} finally {
  await browser.close()
}
