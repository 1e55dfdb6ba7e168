// Walks the pages of some audiences in the demo world.
// RINGTILL_WALK is JSON: [{ "name", "origin", "email", "password", "start", "looks": 4 or 2, "paths": ["/admin/calls", ..] }].
// A page is opened as named in `paths`; "/admin/calls/*" is the first that the list "/admin/calls" links to, and
// "/admin/account>/admin/account/invoices/*" the first of its kind that the page before the arrow links to. `start` is where
// signing in should lead. Two looks are the desk by day and the telephone by night.
import { Visit, looks, report, startBrowser } from './harness.mjs'

const audiences = JSON.parse(process.env.RINGTILL_WALK)
const browser = await startBrowser()
const faults = []
let counted = 0

const nameOf = (audience, path) => `${audience.name}${path.replace(/^.*>/, '').replace(/[?=&].*$/, (query) => (audience.queries ? query.replaceAll(/[?=&#]/g, '-') : '')).replace('*', 'one').replaceAll('/', '-')}`

/** The address that a path of the list means. */
async function addressOf(visit, audience, path) {
  if (!path.endsWith('/*')) return new URL(path, audience.origin).href
  const [list, wanted] = path.includes('>') ? path.split('>') : [path.slice(0, -2), path]
  const start = wanted.slice(0, -1)
  await visit.goTo(new URL(list, audience.origin).href)
  const links = await visit.page.locator(`main a[href^="${start}"]`).evaluateAll((found) => found.map((link) => link.getAttribute('href')))
  const link = links.find((href) => !href.slice(start.length).includes('/') && !href.endsWith('/new'))
  if (!link) throw new Error(`${audience.name}: ${list} links to nothing below ${start}`)
  return new URL(link + after, audience.origin).href
}

for (const audience of audiences) {
  let signedIn
  const addresses = new Map()
  const chosen = audience.looks === 2 ? [looks[0], looks[3]] : looks
  for (const look of chosen) {
    // Signing in costs a password hash: once for each audience, the other looks take the cookie along.
    const visit = await Visit.begin(browser, look, signedIn ? { storageState: signedIn } : {})
    if (audience.email && !signedIn) {
      await visit.signIn(audience.origin, audience.email, audience.password)
      const landed = new URL(visit.page.url()).pathname
      if (audience.start && !landed.startsWith(audience.start)) visit.faults.push(`${audience.name}: signing in led to ${landed}, not to ${audience.start}`)
      signedIn = await visit.context.storageState()
    }
    for (const path of audience.paths) {
      if (!addresses.has(path)) addresses.set(path, await addressOf(visit, audience, path))
      await visit.goTo(addresses.get(path))
      await visit.inspect(nameOf(audience, path))
      counted += 1
    }
    faults.push(...(await visit.end()))
  }
}
await browser.close()
report(faults, counted)
