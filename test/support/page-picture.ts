/** Takes the picture of the status page for the README: `node test/support/page-picture.ts URL FILE [#node=NAME]`. */
import { chromium } from 'playwright-core'

const [url = 'http://127.0.0.1:9464/', file = 'docs/page.png', fragment = ''] = process.argv.slice(2)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
})
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, colorScheme: 'light' })
  await page.goto(url + fragment)
  await page.locator('[data-node], .node, button').first().waitFor()
  await page.waitForTimeout(2500) // two polls, so that rates have settled
  await page.screenshot({ path: file })
} finally {
  await browser.close()
}
