// Walks the pages of every audience in the demo world, in all four looks.
// RINGTILL_WALK is JSON: [{ "name", "origin", "email", "password", "start", "paths": ["/admin/calls", ..] }].
// A page is opened as named in `paths`; `start` is where signing in should lead.
import { Visit, looks, report, startBrowser } from './harness.mjs'

const audiences = JSON.parse(process.env.RINGTILL_WALK)
const browser = await startBrowser()
const faults = []
let counted = 0

const nameOf = (audience, path) => `${audience.name}${path.replace(/[?=&].*$/, '').replaceAll('/', '-')}`

for (const audience of audiences) {
  let signedIn
  for (const look of looks) {
    // Signing in costs a password hash: once for each audience, the other looks take the cookie along.
    const visit = await Visit.begin(browser, look, signedIn ? { storageState: signedIn } : {})
    if (audience.email && !signedIn) {
      await visit.signIn(audience.origin, audience.email, audience.password)
      const landed = new URL(visit.page.url()).pathname
      if (audience.start && !landed.startsWith(audience.start)) visit.faults.push(`${audience.name}: signing in led to ${landed}, not to ${audience.start}`)
      signedIn = await visit.context.storageState()
    }
    for (const path of audience.paths) {
      await visit.goTo(new URL(path, audience.origin).href)
      await visit.inspect(nameOf(audience, path))
      counted += 1
    }
    faults.push(...(await visit.end()))
  }
}
await browser.close()
report(faults, counted)
