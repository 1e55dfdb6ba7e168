// Drives the machine's own Chromium and notes everything that a person would not forgive: a console error, an uncaught
// exception, a failed request, a breach of the content security policy, an accessibility fault.
import { mkdirSync, existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { AxeBuilder } from '@axe-core/playwright'
import { chromium } from 'playwright-core'

const screenshotFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'screenshots')

/** Every page is looked at in these four: a desk and a telephone, by day and by night. */
export const looks = [
  { width: 1440, height: 900, scheme: 'light' },
  { width: 1440, height: 900, scheme: 'dark' },
  { width: 390, height: 844, scheme: 'light' },
  { width: 390, height: 844, scheme: 'dark' },
]

const browserPaths = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Starts the browser in a fresh profile; nothing of it talks to anybody but the pages under test. */
export async function startBrowser() {
  const executablePath = browserPaths.find((candidate) => candidate && existsSync(candidate))
  if (!executablePath) throw new Error('No Chromium is installed: `make test` installs it, or set CHROMIUM to its path.')
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-default-apps',
    ],
  })
}

/** One person at one screen: a browser context of its own, a page, and the list of faults seen so far. */
export class Visit {
  static async begin(browser, { width, height, scheme }, options = {}) {
    const visit = new Visit()
    visit.look = `${width}x${height}-${scheme}`
    visit.faults = []
    visit.leaving = false
    visit.expected = []
    visit.context = await browser.newContext({
      viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options,
    })
    visit.context.setDefaultTimeout(15_000)
    await visit.context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`policy breach: ${event.violatedDirective} refused ${event.blockedURI || 'inline'} (${event.sourceFile || 'the page'}:${event.lineNumber})`)
      })
    })
    visit.page = await visit.context.newPage()
    visit.#listen(visit.page)
    return visit
  }

  /** An answer of this status for a path that starts so is part of the test, not a fault. */
  expect(status, pathStart) {
    this.expected.push({ status, pathStart })
  }

  #isExpected(status, url) {
    const { pathname } = new URL(url)
    return this.expected.some((known) => known.status === status && pathname.startsWith(known.pathStart))
  }

  #fault(text) {
    this.faults.push(`${this.look} ${this.page?.url() ?? ''}: ${text}`)
  }

  #listen(page) {
    page.on('console', (message) => {
      if (message.type() !== 'error') return
      // The browser repeats a refused answer on the console; `response` below judges those.
      if (message.text().startsWith('Failed to load resource')) return
      // Leaving a page ends its stream of events, and htmx says so.
      if (this.leaving && message.text() === '[object Event]') return
      this.#fault(`console: ${message.text()}`)
    })
    page.on('pageerror', (error) => this.#fault(`uncaught: ${error.message}`))
    page.on('response', (response) => {
      if (response.status() >= 400 && !this.#isExpected(response.status(), response.url())) this.#fault(`${response.status()} for ${response.request().method()} ${response.url()}`)
    })
    page.on('requestfailed', (request) => {
      // Leaving a page ends its streams and whatever it was still fetching.
      if (request.failure()?.errorText === 'net::ERR_ABORTED') return
      this.#fault(`no answer for ${request.url()}: ${request.failure()?.errorText}`)
    })
  }

  /** Goes to a page and says whether it answered with 200. */
  async goTo(url) {
    this.leaving = true
    const answer = await this.page.goto(url, { waitUntil: 'commit' })
    this.leaving = false
    await this.page.waitForLoadState('load')
    if (answer && answer.status() !== 200 && !this.#isExpected(answer.status(), url)) this.#fault(`answered ${answer.status()}`)
  }

  /** Follows a link as a person does, and ends on its page. */
  async follow(link) {
    this.leaving = true
    const address = new URL(await link.getAttribute('href'), this.page.url()).href
    await Promise.all([this.page.waitForURL(address, { waitUntil: 'load' }), link.click()])
    this.leaving = false
  }

  /** Signs in as a person does. Ends on the page that the person is sent to. */
  async signIn(origin, email, password) {
    await this.goTo(new URL('/sign-in', origin).href)
    await this.page.locator('input[name=email]').fill(email)
    await this.page.locator('input[name=password]').fill(password)
    await Promise.all([
      this.page.waitForURL((url) => !url.pathname.startsWith('/sign-in')),
      this.page.locator('form:has(input[name=password]) button').first().click(),
    ]).catch((error) => this.#fault(`${email} could not sign in: ${error.message.split('\n')[0]}`))
  }

  /** What every page owes: nothing wider than the screen, no accessibility fault, one h1. Takes the picture too. */
  async inspect(name) {
    await this.page.evaluate(() => document.fonts.ready)
    await this.#fits()
    const { width, height } = this.page.viewportSize()
    if (width < 640) {
      // A screen of 1280 at 400% (WCAG 2.2, 1.4.10).
      await this.page.setViewportSize({ width: 320, height })
      await this.#fits()
      await this.page.setViewportSize({ width, height })
    }
    const headings = await this.page.locator('h1').count()
    if (headings !== 1) this.#fault(`${headings} h1 headings`)
    const { violations } = await new AxeBuilder({ page: this.page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze()
    for (const { id, help, nodes } of violations) this.#fault(`accessibility ${id}: ${help} (${nodes.length}x, first ${nodes[0].html.slice(0, 160)})`)
    await this.picture(name)
  }

  async #fits() {
    const [needed, there] = await this.page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth])
    if (needed > there) this.#fault(`the page is ${needed} wide on a screen of ${there}`)
  }

  /** tests/screenshots/NAME-WIDTHxHEIGHT-SCHEME.png, the whole page. */
  async picture(name) {
    mkdirSync(screenshotFolder, { recursive: true })
    await this.page.screenshot({ path: path.join(screenshotFolder, `${name}-${this.look}.png`), fullPage: true, animations: 'disabled' })
  }

  async end() {
    await this.context.close()
    return this.faults
  }
}

/** Prints the faults, each once, and ends the process with 1 when there are any. */
export function report(faults, counted) {
  const distinct = [...new Set(faults)]
  for (const fault of distinct) console.log(`FAULT ${fault}`)
  console.log(`${counted} pages looked at, ${distinct.length} faults`)
  process.exitCode = distinct.length > 0 || counted === 0 ? 1 : 0
}
