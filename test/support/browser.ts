/** A real Chromium for tests and pictures of the status page. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

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

/** Why there is no browser to test with, or false. Throws in continuous integration, where there must be one. */
export function noBrowser(): string | false {
  if (existsSync(CHROMIUM)) return false
  if (process.env.CI === 'true') throw new Error(`no Chromium at ${CHROMIUM}: the status page is untested`)
  return `NO CHROMIUM at ${CHROMIUM}: THE STATUS PAGE IS NOT TESTED`
}

/** A browser with a home of its own, which goes with it. */
export async function openBrowser(): Promise<{ browser: Browser; close(): Promise<void> }> {
  const home = mkdtempSync(join(tmpdir(), 'page-'))
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ARGS,
    env: { ...process.env, HOME: home },
  })
  return {
    browser,
    close: async () => {
      await browser.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
